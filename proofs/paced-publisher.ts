import { nowMicroseconds, timedPayload } from '@tutti/bench/load/timed-payload';
import type { RawPeer } from './raw-peer.ts';

/** What is published: data that carries its number and the time. */
export interface Draft {
  readonly channel: string;
  readonly perSecond: number;
  readonly payloadBytes: number;
  /** For the publication with this number. */
  readonly more?: (number: number) => { readonly key?: string; readonly final?: boolean };
}

const tickMs = 2;

/** Publishes on one connection, evenly; numbers go on from call to call. */
export class PacedPublisher {
  /** Number of the last publication. */
  last = 0;
  readonly #peer: RawPeer;
  readonly #draft: Draft;

  constructor(peer: RawPeer, draft: Draft) {
    this.#peer = peer;
    this.#draft = draft;
  }

  /** Resolves when all of it is acknowledged; rejects where something was refused. */
  async run(ms: number): Promise<void> {
    const first = this.last;
    const count = Math.round((this.#draft.perSecond * ms) / 1_000);
    const started = performance.now();
    const answers: Promise<unknown>[] = [];
    let refused: unknown;
    while (this.last < first + count && refused === undefined) {
      const due = Math.min(count, Math.ceil(((performance.now() - started) * this.#draft.perSecond) / 1_000));
      while (this.last < first + due) {
        const answer = this.#publish();
        answer.catch((error: unknown) => (refused ??= error));
        answers.push(answer);
      }
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    }
    await Promise.all(answers);
  }

  #publish(): Promise<unknown> {
    this.last += 1;
    const { channel, payloadBytes, more } = this.#draft;
    const data = JSON.parse(timedPayload(this.last, nowMicroseconds(), payloadBytes)) as object;
    return this.#peer.command({ publish: { channel, data, ...more?.(this.last) } });
  }
}

export interface Timed {
  readonly number: number;
  /** Milliseconds since it was published. */
  readonly ageMs: number;
}

/** What `PacedPublisher` put into the data, as a subscriber reads it. */
export function timedData(data: unknown): Timed {
  const { t, n } = data as { t: string; n: string };
  return { number: Number(n), ageMs: (nowMicroseconds() - Number(t)) / 1_000 };
}
