import { styleText } from 'node:util';

import type { CliError } from './cli-error.ts';

type Style = Parameters<typeof styleText>[0];
type Stream = NodeJS.WriteStream;

// Names and payloads are written by strangers: a terminal must not obey them, nor show them reversed.
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Text of a stranger as a terminal may have it: on one line, controls shown and not obeyed. */
export function plain(text: string): string {
  return text.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * What the command says. For people: results on standard output, everything else on standard
 * error, coloured on a terminal (NO_COLOR is respected). For programs (`json`): one JSON object a
 * line, results on standard output, problems on standard error; nothing else.
 */
export class Output {
  readonly json: boolean;
  readonly #stdout: Stream;
  readonly #stderr: Stream;

  constructor(streams: { stdout: Stream; stderr: Stream }, options: { json: boolean }) {
    this.json = options.json;
    this.#stdout = streams.stdout;
    this.#stderr = streams.stderr;
  }

  /** One result: the object for programs, the line for people. */
  result(record: Readonly<Record<string, unknown>>, line: string): void {
    this.#stdout.write(`${this.json ? JSON.stringify(record) : line}\n`);
  }

  /** A line for people on standard output, such as a banner. */
  say(line: string): void {
    if (!this.json) this.#stdout.write(`${line}\n`);
  }

  /** A line beside the result. */
  note(line: string): void {
    if (!this.json) this.#stderr.write(`${this.dim(line, this.#stderr)}\n`);
  }

  warn(message: string): void {
    if (this.json) this.#stderr.write(`${JSON.stringify({ type: 'warning', message })}\n`);
    else this.#stderr.write(`${styleText('yellow', 'warning', { stream: this.#stderr })} ${plain(message)}\n`);
  }

  fail({ message, remedies }: Pick<CliError, 'message' | 'remedies'>): void {
    if (this.json) {
      this.#stderr.write(`${JSON.stringify({ type: 'error', message, remedies })}\n`);
      return;
    }
    const head = styleText(['red', 'bold'], 'error', { stream: this.#stderr });
    this.#stderr.write(`${head} ${plain(message)}\n`);
    for (const remedy of remedies) this.#stderr.write(`      ${plain(remedy)}\n`);
  }

  paint(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stdout });
  }

  dim(text: string, stream: Stream = this.#stdout): string {
    return styleText('dim', text, { stream });
  }
}
