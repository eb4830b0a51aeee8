import { appendFile, mkdir, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Why an event is not offered any more; a label of the metrics. */
export type DeathReason = 'overflow' | 'gave_up' | 'refused';

export interface DeadLettersOptions {
  /** Folder of the webhook. */
  readonly folder: string;
  /** Of both files together. */
  readonly bytesMax: number;
  /** So many events were lost for good: neither delivered nor kept. */
  readonly onLost: (count: number, error: unknown) => void;
}

/** Bytes of lines that wait for the disk. Beyond them events are lost, and counted. */
const waitingBytesMax = 8 * 1024 * 1024;

export const deadLettersFile = 'dead-letters.jsonl';
export const olderDeadLettersFile = 'dead-letters.1.jsonl';

/**
 * Events that a webhook was not given, one a line: `{"at": …, "reason": …, "event": {…}}`. Appended to
 * `dead-letters.jsonl`, which is put aside as `dead-letters.1.jsonl` at half of the bound; what that held
 * before is given up then. The file is opened for each write, so that whoever replays may move it away.
 */
export class DeadLetters {
  readonly #options: DeadLettersOptions;
  readonly #path: string;
  readonly #olderPath: string;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
    this.#path = `${options.folder}/${deadLettersFile}`;
    this.#olderPath = `${options.folder}/${olderDeadLettersFile}`;
  }

  /** Returns at once; the disk follows. `nowMs`: milliseconds since 1970. */
  add(lines: readonly Uint8Array[], reason: DeathReason, nowMs: number): void {
    let lost = 0;
    const head = `{"at":${nowMs},"reason":"${reason}","event":`;
    for (const line of lines) {
      const bytes = head.length + line.length + 2;
      if (this.#waitingBytes + bytes > waitingBytesMax) {
        lost += 1;
        continue;
      }
      this.#waiting.push(`${head}${Buffer.from(line).toString()}}\n`);
      this.#waitingBytes += bytes;
    }
    if (lost > 0) this.#options.onLost(lost, new Error('the disk is too slow for the dead letters'));
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when what was added is written, or lost. Never rejects. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      const text = lines.join('');
      try {
        await mkdir(dirname(this.#path), { recursive: true });
        await this.#rotate(Buffer.byteLength(text));
        await appendFile(this.#path, text, { mode: 0o600 });
      } catch (error) {
        this.#options.onLost(lines.length, error);
      }
    }
  }

  async #rotate(bytes: number): Promise<void> {
    const size = await stat(this.#path).then(
      (found) => found.size,
      () => 0,
    );
    if (size > 0 && size + bytes > this.#options.bytesMax / 2) await rename(this.#path, this.#olderPath);
  }
}
