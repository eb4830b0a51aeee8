import { readFileSync } from 'node:fs';

const pageBytes = 4_096;
const sampleMs = 100;

/** The most memory a process was seen to have in RAM, sampled until `stop`. */
export class MemoryWatch {
  #mostBytes = 0;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#pid = pid;
    this.#sample();
    this.#timer = setInterval(() => {
      this.#sample();
    }, sampleMs);
  }

  /** MiB, since the last time it was asked. */
  takeMost(): number {
    const most = this.#mostBytes;
    this.#mostBytes = 0;
    this.#sample();
    return Math.round(most / 1_048_576);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    // The second number: pages in RAM. Unlike smaps it costs nothing to ask.
    const pages = Number(readFileSync(`/proc/${this.#pid}/statm`, 'utf8').split(' ')[1]);
    this.#mostBytes = Math.max(this.#mostBytes, pages * pageBytes);
  }
}
