import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const timeLimitMs = 60_000;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** For tests: the command as a process of its own. */
export class RunningCommand {
  readonly #child: ChildProcess;
  readonly #finished: Promise<Finished>;
  #stdout = '';
  #stderr = '';
  #changed: () => void = () => undefined;

  constructor(args: readonly string[], options: { cwd: string; env?: Record<string, string>; input?: string }) {
    // Nothing of the environment of the test run: it may hold TUTTI_ variables.
    const env = { HOME: options.cwd, ...options.env };
    this.#child = spawn(process.execPath, [main, ...args], { cwd: options.cwd, env });
    const limit = setTimeout(() => this.#child.kill('SIGKILL'), timeLimitMs);
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#stdout += chunk.toString();
      this.#changed();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      this.#changed();
    });
    this.#child.stdin?.end(options.input ?? '');
    this.#finished = new Promise((resolve) => {
      this.#child.on('close', (code) => {
        clearTimeout(limit);
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
        this.#changed();
      });
    });
  }

  finished(): Promise<Finished> {
    return this.#finished;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the match once the output has it; throws with all output where the process ends without. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#stdout + this.#stderr);
      if (match !== null) return match;
      if (this.#child.exitCode !== null)
        throw new Error(`ended without ${String(pattern)}:\n${this.#stdout}${this.#stderr}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}
