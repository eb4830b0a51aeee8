import type { Clock } from '../../core/clock.ts';
import { Marks } from '../marks.ts';
import type { OutboundFrame, ProtocolPings } from '../transport.ts';

/** The stream that marks are for. */
export interface PingedStream {
  /** Writes it behind what was sent. */
  ping(frame: OutboundFrame): void;
  confirmed(roundTripMs: number, aheadBytes: number): void;
}

/**
 * Marks of a stream: pings of the protocol, which the peer answers by a request.
 *
 * Answers look all the same, and requests may overtake each other. They are counted: the third answer says
 * that at least three pings were read, and with the third all that stood before it, whichever of them it was.
 * One that is lost is missing from then on, until nothing more comes and the peer is taken for dead (CON-1);
 * SDKs end a stream whose requests fail by themselves.
 */
export class StreamPings implements ProtocolPings {
  readonly #marks = new Marks();
  readonly #clock: Clock;
  readonly #stream: PingedStream;
  #ping: OutboundFrame | undefined;
  /** A mark was asked for before the peer could answer one. */
  #isOwed = false;

  constructor(clock: Clock, stream: PingedStream) {
    this.#clock = clock;
    this.#stream = stream;
  }

  get unconfirmed(): number {
    return this.#marks.unconfirmed;
  }

  get waiting(): number {
    return this.#marks.waiting;
  }

  sent(bytes: number): void {
    this.#marks.sent(bytes);
  }

  mark(): void {
    if (this.#ping === undefined) {
      this.#isOwed = true;
      return;
    }
    this.#marks.add(this.#clock.monotonic());
    this.#stream.ping(this.#ping);
  }

  begin(ping: OutboundFrame): void {
    this.#ping = ping;
    if (!this.#isOwed) return;
    this.#isOwed = false;
    this.mark();
  }

  answered(): boolean {
    const mark = this.#marks.takeOldest();
    if (mark === undefined) return false;
    this.#stream.confirmed(this.#clock.monotonic() - mark.sentAtMs, mark.aheadBytes);
    return true;
  }
}
