import type { Broker, HistoryRetention, LivePublication } from '../broker/broker.ts';
import type { Random } from './random.ts';
import type { ReadinessCheck } from './readiness.ts';

/** No namespace may begin so: no client, key or configuration names such a channel, by any spelling (S10). */
const reserved = '$canary:';

/** Publications of one canary that a broker may leave unanswered; beyond it no other is sent. */
const unansweredMax = 4;

export interface CanaryOptions {
  /** What it watches, for the report: `memory`, `durable`. */
  readonly name: string;
  readonly broker: Broker;
  readonly random: Random;
  /** Nodes that share a broker have a channel each, and take no other's canary for their own. Absent: nobody shares it. */
  readonly node?: string;
  /** Where given, the canary is appended to the log. Small: it is all that the log ever keeps of it. */
  readonly history?: HistoryRetention;
}

export function canaryChannel(name: string, node?: string): string {
  return node === undefined ? `${reserved}${name}` : `${reserved}${name}:${node}`;
}

export function isCanaryChannel(channel: string): boolean {
  return channel.startsWith(reserved);
}

/**
 * A publication with an id that nobody can guess, sent through the broker and awaited as any live one.
 * It passes by hub, namespaces and counters: no list, figure or metric of channels knows of it.
 */
export class Canary implements ReadinessCheck {
  readonly name: string;
  readonly channel: string;
  readonly #options: CanaryOptions;
  #isSubscribed = false;
  #unanswered = 0;
  #awaited: { readonly id: string; readonly cameBack: (nothing: undefined) => void } | undefined;

  constructor(options: CanaryOptions) {
    this.name = options.name;
    this.channel = canaryChannel(options.name, options.node);
    this.#options = options;
  }

  /** Resolves when the broker has answered and the canary has come back; a later run gives up this one. */
  async run(): Promise<void> {
    const { broker, random, history } = this.#options;
    if (this.#unanswered >= unansweredMax) {
      throw new Error(`the broker left ${this.#unanswered} canaries unanswered; none is sent until it answers one`);
    }
    const id = random.id();
    const { promise: back, resolve: cameBack } = Promise.withResolvers<undefined>();
    this.#awaited = { id, cameBack };
    this.#unanswered += 1;
    try {
      if (!this.#isSubscribed) await broker.subscribe(this.channel);
      this.#isSubscribed = true;
      const data = Buffer.from(JSON.stringify(id));
      await broker.publish(this.channel, { data }, history === undefined ? {} : { history });
    } catch (error) {
      this.#isSubscribed = false;
      throw error;
    } finally {
      this.#unanswered -= 1;
    }
    await back;
  }

  receive({ channel, publication }: LivePublication): void {
    if (channel !== this.channel || this.#awaited === undefined) return;
    if (Buffer.from(publication.data).toString() !== JSON.stringify(this.#awaited.id)) return;
    this.#awaited.cameBack(undefined);
    this.#awaited = undefined;
  }
}

/** The canaries of a node: where their publications go, in place of the hub. */
export class Canaries {
  readonly all: readonly Canary[];

  constructor(all: readonly Canary[]) {
    this.all = all;
  }

  /** Whether it was a canary, of whatever node. Never throws. */
  receive(live: LivePublication): boolean {
    if (!isCanaryChannel(live.channel)) return false;
    for (const canary of this.all) canary.receive(live);
    return true;
  }
}
