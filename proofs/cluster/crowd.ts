import { Tutti, TuttiError, type PublishResult } from '@tutti/client';
import { pause } from '../waiting.ts';

const triesMax = 30;
const retryMs = 500;
/** Beyond the time that a publish waits for the engine by itself. */
const refusedMsMax = 5_000;

export interface Tokens {
  token(draft: { user: string }): Promise<string>;
}

/** A client of one channel, and what it saw, in the order in which it saw it. */
export interface Watcher {
  readonly tutti: Tutti;
  readonly channel: string;
  readonly seen: { readonly offset: number; readonly text: string }[];
  /** Times it was told that something is missing. */
  gaps: number;
  isBack: boolean;
  lostAtMs: number;
}

export interface Acknowledged {
  readonly channel: string;
  readonly text: string;
  readonly offset: number;
  readonly epoch: string;
}

/** Clients of our own SDK in one process: some that watch, some that publish. */
export class Crowd {
  readonly watchers: Watcher[] = [];
  readonly acknowledged: Acknowledged[] = [];
  /** Publishes that failed for good: nobody knows what became of them. */
  readonly unanswered: string[] = [];
  /** Milliseconds each watcher was away, of all times. */
  readonly awayMs: number[] = [];
  repeated = 0;
  /** Publishes that got a temporary error, and were repeated. */
  refusedForNow = 0;
  /** The longest from a publish's first temporary error to its acknowledgement. */
  refusedMsMax = 0;
  readonly #publishers: Tutti[] = [];
  readonly #waiting = new Set<Promise<void>>();
  readonly #wsUrl: string;
  readonly #tokens: Tokens;
  #timer: NodeJS.Timeout | undefined;
  #published = 0;

  constructor(wsUrl: string, tokens: Tokens) {
    this.#wsUrl = wsUrl;
    this.#tokens = tokens;
  }

  /** Resolves when it is subscribed. */
  async watch(channel: string): Promise<void> {
    const tutti = await this.#client(`watcher-${this.watchers.length}`);
    const watcher: Watcher = { tutti, channel, seen: [], gaps: 0, isBack: true, lostAtMs: 0 };
    this.watchers.push(watcher);
    const subscription = tutti.subscribe<{ text: string }>(channel);
    subscription.on('publication', ({ offset = 0, data }) => watcher.seen.push({ offset, text: data.text }));
    subscription.on('gap', () => (watcher.gaps += 1));
    tutti.on('state', ({ from }) => {
      if (from !== 'connected') return;
      watcher.isBack = false;
      watcher.lostAtMs = performance.now();
    });
    subscription.on('subscribed', () => {
      if (!watcher.isBack) this.awayMs.push(performance.now() - watcher.lostAtMs);
      watcher.isBack = true;
    });
    await subscription.ready();
  }

  /** Publishes evenly over the channels until `stop`; the SDK repeats what is unanswered, with the same key. */
  async publish(channels: readonly string[], perSecond: number, publishers: number): Promise<void> {
    for (let i = 0; i < publishers; i += 1) this.#publishers.push(await this.#client(`publisher-${i}`));
    const startedMs = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - startedMs) * perSecond) / 1_000;
      while (this.#published < due) this.#publishOne(channels);
    }, 5);
  }

  /** One publication in each channel; resolves when all are answered. */
  async publishOnce(channels: readonly string[]): Promise<void> {
    for (const _ of channels) this.#publishOne(channels);
    await this.stop();
  }

  /** Resolves when everything published is answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#waiting.size > 0) await Promise.race([Promise.all(this.#waiting), pause(100)]);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { tutti } of this.watchers) tutti.close();
    for (const tutti of this.#publishers) tutti.close();
  }

  #publishOne(channels: readonly string[]): void {
    this.#published += 1;
    const text = `message ${this.#published}`;
    const channel = channels[this.#published % channels.length] ?? '';
    const publisher = this.#publishers[this.#published % this.#publishers.length];
    const sent = this.#insist(publisher, channel, text).then(
      ({ offset = 0, epoch = '', duplicate }) => {
        if (duplicate === true) this.repeated += 1;
        this.acknowledged.push({ channel, text, offset, epoch });
      },
      (error: unknown) => {
        this.unanswered.push(`${text}: ${error instanceof Error ? error.message : String(error)}`);
      },
    );
    this.#waiting.add(sent);
    void sent.then(() => this.#waiting.delete(sent));
  }

  /** A temporary error is an answer: as an application would, it repeats with the same key. */
  async #insist(publisher: Tutti | undefined, channel: string, text: string): Promise<PublishResult> {
    if (publisher === undefined) throw new Error('nobody publishes');
    let refusedAtMs: number | undefined;
    for (let tries = 1; ; tries += 1) {
      try {
        const result = await publisher.publish(channel, { text }, { idempotencyKey: text });
        const refusedMs = performance.now() - (refusedAtMs ?? performance.now());
        this.refusedMsMax = Math.max(this.refusedMsMax, Math.round(refusedMs));
        return result;
      } catch (error) {
        if (tries === triesMax || !(error instanceof TuttiError && error.temporary)) throw error;
        refusedAtMs ??= performance.now();
        this.refusedForNow += 1;
        await pause(retryMs);
      }
    }
  }

  async #client(user: string): Promise<Tutti> {
    const token = await this.#tokens.token({ user });
    const tutti = new Tutti(this.#wsUrl, { token, timeoutMs: 30_000, reconnectMaxMs: 2_000 });
    await tutti.ready();
    return tutti;
  }
}

export type Evidence = Pick<
  Crowd,
  'watchers' | 'acknowledged' | 'unanswered' | 'repeated' | 'refusedForNow' | 'refusedMsMax'
>;

export interface Judgement {
  readonly broken: string[];
  readonly figures: Readonly<Record<string, number>>;
}

/** DEL-1 to DEL-6, from outside: what was acknowledged, against what each client saw. */
export function judgeCrowd(evidence: Evidence): Judgement {
  const { watchers, acknowledged, unanswered, repeated, refusedForNow, refusedMsMax: refusedMs } = evidence;
  const broken: string[] = [];
  const logs = new Map<string, Map<number, string>>();
  for (const { channel, offset, text } of acknowledged) {
    const log = logs.get(channel) ?? new Map<number, string>();
    if ((log.get(offset) ?? text) !== text) broken.push(`${channel}: two publications have offset ${offset} (DEL-3)`);
    logs.set(channel, log.set(offset, text));
  }
  const epochs = new Map<string, Set<string>>();
  for (const { channel, epoch } of acknowledged) epochs.set(channel, (epochs.get(channel) ?? new Set()).add(epoch));
  const changed = [...epochs.values()].filter(({ size }) => size > 1).length;
  const figures = {
    lost: 0,
    duplicates: 0,
    outOfOrder: 0,
    holes: 0,
    contradictions: 0,
    gaps: 0,
    epochsChanged: changed,
  };
  for (const { channel, seen, gaps } of watchers) {
    const log = logs.get(channel) ?? new Map<number, string>();
    const texts = new Set(seen.map(({ text }) => text));
    figures.lost += [...log.values()].filter((text) => !texts.has(text)).length;
    figures.duplicates += seen.length - texts.size;
    figures.gaps += gaps;
    seen.forEach(({ offset, text }, i) => {
      const before = seen[i - 1]?.offset ?? offset - 1;
      if (offset <= before) figures.outOfOrder += 1;
      if (offset > before + 1) figures.holes += 1;
      // What was never acknowledged to its publisher has an order, too: the first to see it says which.
      if (!log.has(offset)) log.set(offset, text);
      if (log.get(offset) !== text) figures.contradictions += 1;
    });
  }
  for (const [what, count] of Object.entries(figures)) if (count > 0) broken.push(`${count} ${what}`);
  if (unanswered.length > 0) broken.push(`${unanswered.length} publishes were never answered: ${unanswered[0] ?? ''}`);
  if (refusedMs > refusedMsMax) broken.push(`a publish was refused for now for ${refusedMs} ms`);
  const seen = watchers.reduce((sum, watcher) => sum + watcher.seen.length, 0);
  return {
    broken,
    figures: { acknowledged: acknowledged.length, repeated, refusedForNow, refusedMs, seen, ...figures },
  };
}

/** Every watcher is back, and has seen the last that was acknowledged in its channel. */
export function isSettled({ watchers, acknowledged }: Pick<Evidence, 'watchers' | 'acknowledged'>): boolean {
  const tops = new Map<string, number>();
  for (const { channel, offset } of acknowledged) tops.set(channel, Math.max(tops.get(channel) ?? 0, offset));
  return watchers.every(
    ({ isBack, channel, seen }) => isBack && (seen.at(-1)?.offset ?? 0) >= (tops.get(channel) ?? 0),
  );
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}
