import type { Clock, Timer, WebSocketLike } from './platform.ts';

export interface ProbeOptions {
  readonly clock: Clock;
  /** Longest wait for an answer, milliseconds. */
  readonly timeoutMs: number;
  /** May throw. */
  readonly open: () => WebSocketLike;
  told(isOpen: boolean): void;
}

/** Opens a WebSocket to see whether that can be done, says nothing on it, and lets go of it. One at a time. */
export class Probe {
  readonly #options: ProbeOptions;
  #timer: Timer | undefined;
  #socket: WebSocketLike | undefined;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  startIn(ms: number): void {
    this.stop();
    this.#timer = this.#options.clock.after(ms, () => this.#start());
  }

  stop(): void {
    this.#timer?.cancel();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onclose = null;
    socket.onerror = () => {};
    try {
      socket.close();
    } catch {
      // As with a link: some throw while they are still opening.
    }
  }

  #start(): void {
    const { clock, timeoutMs, open } = this.#options;
    this.#timer = clock.after(timeoutMs, () => this.#told(false));
    try {
      const socket = open();
      this.#socket = socket;
      socket.onopen = () => this.#told(true);
      socket.onerror = () => {};
      socket.onclose = () => this.#told(false);
    } catch {
      this.#told(false);
    }
  }

  #told(isOpen: boolean): void {
    this.stop();
    this.#options.told(isOpen);
  }
}
