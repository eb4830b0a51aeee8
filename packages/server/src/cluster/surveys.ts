import type { Clock, Timer } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import { parsed, type Opened } from './envelope.ts';
import type { Peer, ReadMessage, Survey } from './peers.ts';

/** Questions that wait for answers at the same time. */
const surveysMax = 1_000;

/** Questions of this node that others have not all answered yet. */
export class Surveys {
  readonly #clock: Clock;
  readonly #open = new Map<string, OpenSurvey>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Throws `Fault` where too many are open. */
  begin<Answer>(
    id: string,
    asked: readonly Peer[],
    read: ReadMessage<Answer>,
    withinMs: number,
  ): Promise<Survey<Answer>> {
    if (this.#open.size >= surveysMax) {
      return Promise.reject(
        new Fault('control-bus', `more than ${surveysMax} questions wait for other nodes`, { retryable: true }),
      );
    }
    return new Promise((resolve) => {
      const answers: { peer: Peer; answer: Answer }[] = [];
      const end = (): void => {
        this.#open.delete(id);
        timer.cancel();
        const answered = new Set(answers.map(({ peer }) => peer.incarnation));
        const silent = asked.filter(({ incarnation }) => !answered.has(incarnation)).map(({ name }) => name);
        resolve({ answers, silent: [...new Set(silent)].sort() });
      };
      const timer: Timer = this.#clock.after(withinMs, end);
      const take = (peer: Peer, value: unknown): void => {
        answers.push({ peer, answer: read(value) });
      };
      this.#open.set(id, new OpenSurvey(asked, take, end));
    });
  }

  /** A part of an answer. Throws `BadMessage`; who sent it then counts as silent. */
  answered({ envelope, body }: Opened): void {
    this.#open.get(envelope.question ?? '')?.answered(envelope.from, body, envelope.part ?? 0, envelope.parts ?? 1);
  }

  /** A node is gone: nobody waits for it. */
  gone(peer: Peer): void {
    for (const survey of [...this.#open.values()]) survey.gone(peer);
  }

  /** Those that are open end with what they have. */
  close(): void {
    for (const survey of [...this.#open.values()]) survey.end();
  }
}

class OpenSurvey {
  /** By incarnation: those that are still waited for, with the parts that came. */
  readonly #waiting: Map<string, (Uint8Array | undefined)[]>;
  readonly #take: (peer: Peer, value: unknown) => void;
  readonly end: () => void;

  constructor(asked: readonly Peer[], take: (peer: Peer, value: unknown) => void, end: () => void) {
    this.#waiting = new Map(asked.map(({ incarnation }) => [incarnation, []]));
    this.#take = take;
    this.end = end;
  }

  answered(peer: Peer, body: Uint8Array, part: number, parts: number): void {
    const had = this.#waiting.get(peer.incarnation);
    if (had === undefined) return;
    had[part] = Uint8Array.from(body);
    for (let i = 0; i < parts; i += 1) if (had[i] === undefined) return;
    try {
      this.#take(peer, parsed(Buffer.concat(had as Uint8Array[])));
    } finally {
      this.gone(peer);
    }
  }

  gone({ incarnation }: Peer): void {
    if (this.#waiting.delete(incarnation) && this.#waiting.size === 0) this.end();
  }
}
