import { timedData } from './paced-publisher.ts';
import { RawPeer, type JsonPush, type RawPeerOptions } from './raw-peer.ts';

export interface SlowSubscriberOptions {
  readonly port: number;
  readonly token: string;
  readonly channel: string;
  readonly bytesPerSecond: number;
  /** Number of the publication that is to come first. */
  readonly first: number;
  /** Default: WebSocket. */
  readonly transport?: NonNullable<RawPeerOptions['transport']>;
}

/** A reader that lags behind its channel, and keeps account of what it was sent and told. */
export class SlowSubscriber {
  readonly seen = new Set<number>();
  /** Number of the newest. */
  last: number;
  /** Publications it was told it would not get. */
  skipped = 0;
  wentBack = 0;
  /** Numbers that are missing and of which nothing was said. */
  untold = 0;
  /** Said to be missing, and were not. */
  mistold = 0;
  unsubscribed = false;
  #peer: RawPeer | undefined;

  private constructor(first: number) {
    this.last = first - 1;
  }

  static async open(options: SlowSubscriberOptions): Promise<SlowSubscriber> {
    const subscriber = new SlowSubscriber(options.first);
    const { port, token, bytesPerSecond, channel, transport = 'websocket' } = options;
    const onPush = (push: JsonPush): void => {
      subscriber.#take(push);
    };
    subscriber.#peer = await RawPeer.open({ port, token, bytesPerSecond, onPush, transport, channel });
    if (transport !== 'uni_sse') await subscriber.#peer.command({ subscribe: { channel } });
    return subscriber;
  }

  get ended(): string | undefined {
    return this.#peer?.ended;
  }

  /** Where this end of the connection is. */
  get localPort(): number {
    return this.#peer?.localPort ?? 0;
  }

  stopReading(): void {
    if (this.#peer !== undefined) this.#peer.bytesPerSecond = 0;
  }

  readFast(): void {
    if (this.#peer !== undefined) this.#peer.bytesPerSecond = Infinity;
  }

  close(): void {
    this.#peer?.close();
  }

  #take({ pub, unsubscribe }: JsonPush): void {
    if (unsubscribe !== undefined) this.unsubscribed = true;
    if (pub === undefined) return;
    const { number } = timedData(pub.data);
    const told = pub.skipped ?? 0;
    const missing = number - this.last - 1;
    if (missing < 0) this.wentBack += 1;
    else if (told < missing) this.untold += missing - told;
    else this.mistold += told - missing;
    this.skipped += told;
    this.seen.add(number);
    this.last = Math.max(this.last, number);
  }
}
