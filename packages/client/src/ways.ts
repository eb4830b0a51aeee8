import { HttpSocket } from './http-socket.ts';
import { usableTransports, type Settings } from './options.ts';
import type { WebSocketLike } from './platform.ts';
import { Probe } from './probe.ts';
import { TransportChoice, type TransportName } from './transports.ts';

/** The ways to one server: which is taken, and what opens it. */
export class Ways {
  readonly #url: string;
  readonly #settings: Settings;
  readonly #choice: TransportChoice;
  readonly #probe: Probe;

  /** `reopened`: WebSocket can be had again, and has its turn. Throws where there is no way at all. */
  constructor(url: string, settings: Settings, reopened: () => void) {
    const { clock, timeoutMs } = settings;
    // Older browsers accept ws: only.
    this.#url = url.replace(/^http/, 'ws');
    this.#settings = settings;
    this.#choice = new TransportChoice(usableTransports(url, settings), clock);
    this.#probe = new Probe({
      clock,
      timeoutMs,
      open: () => this.#openSocket('websocket'),
      told: (isOpen) => {
        if (isOpen) {
          this.#choice.retry();
          reopened();
        } else {
          this.#choice.postpone();
          this.#probeLater();
        }
      },
    });
  }

  get current(): TransportName {
    return this.#choice.current;
  }

  get hasOthers(): boolean {
    return this.#choice.hasOthers;
  }

  /** Throws where the URL is none, or the page may not open it. */
  open(): WebSocketLike {
    return this.#openSocket(this.#choice.next());
  }

  /** The server answered, if only to refuse. */
  answered(): void {
    this.#choice.worked();
    this.#probeLater();
  }

  /** An attempt ended unanswered. `isHopeless`: no further one this way is worth it. */
  failed(isHopeless = false): void {
    this.#choice.failed(isHopeless);
  }

  /** The link is gone: nothing is looked for beside it. */
  linkDown(): void {
    this.#probe.stop();
  }

  /** On another way than WebSocket: looks now and then whether that is open again. */
  #probeLater(): void {
    const { retryInMs, first } = this.#choice;
    if (retryInMs !== undefined && first === 'websocket') this.#probe.startIn(retryInMs);
  }

  #openSocket(transport: TransportName): WebSocketLike {
    const { codec, WebSocket, fetch } = this.#settings;
    if (transport === 'websocket') {
      return new WebSocket!(this.#url, codec.subprotocol === undefined ? [] : [codec.subprotocol]);
    }
    const url = this.#url.replace(/^ws/, 'http').replace('/connection/websocket', `/connection/${transport}`);
    return new HttpSocket(url, codec, fetch!);
  }
}
