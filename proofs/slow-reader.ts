import { Fleet } from '@tutti/bench/load/fleet';
import { Histogram } from '@tutti/bench/measure/histogram';
import type { Namespace } from '@tutti/server/config';
import { eventually } from '@tutti/testkit/eventually';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { testTokenSecret } from '@tutti/testkit/test-settings';
import { PacedPublisher } from './paced-publisher.ts';
import { MemoryWatch } from './process-memory.ts';
import type { Proof } from './proof.ts';
import { RawPeer } from './raw-peer.ts';
import { SlowSubscriber, type SlowSubscriberOptions } from './slow-subscriber.ts';

/** As small as it may be, so that a phase suffices to reach it where nothing is conflated. */
const outboundBytesMax = 64 * 1024;
/** For the same reason a phase has so many bytes there: its publications are longer where they are few. */
const phaseBytesMin = 3 * outboundBytesMax;
const longerMost = 10;
const modes: Readonly<Record<string, Partial<Namespace>>> = {
  all_with_history: { delivery: 'all', historySize: 100_000 },
  all_without_history: { delivery: 'all', overflow: 'drop' },
  latest: { delivery: 'latest', historySize: 1_000 },
  latest_by_key: { delivery: 'latest_by_key', historySize: 1_000 },
};
const keys = 3;
const slowerAtMost = 1.5;
const lastWithinMs = 2_000;
/** What stands before the last value on a stream: its least window, and the write that was next. */
const streamBytesBefore = 12 * 1024;
const moreMemoryMaxMiB = 64;
/** A machine that others use is measured again before it is believed. */
const roundsMore = 3;
const warmUpMs = 1_000;
/** What a fast reader has not got by then was not sent to it. */
const settleMs = 500;
/** How often it is noted how far the slow ones are behind. */
const sampleMs = 100;

interface Options {
  readonly readers: number;
  readonly slow: number;
  readonly rate: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly bytesPerSecond: number;
  readonly rounds: number;
  readonly noiseMs: number;
  readonly transport: NonNullable<SlowSubscriberOptions['transport']>;
}

/** BP-1 to BP-6 from outside: the same load with and without slow readers, in turns, on one process. */
export const slowReader: Proof = {
  name: 'slow-reader',
  shows:
    'readers at 1 KB/s among fast ones: these stay as fast, memory stays bounded, the slow get the newest and the final, and are told what they missed (BP-1, BP-3 to BP-6)',
  options: {
    readers: { default: 1_000, description: 'fast readers of the channel' },
    slow: { default: 10, description: 'slow readers of the same channel' },
    rate: { default: 500, description: 'publications a second; one of them, each second, is final' },
    seconds: { default: 10, description: 'of publishing in a phase' },
    rounds: { default: 1, description: 'for each delivery, of a phase without slow readers and one with them' },
    bytes: {
      default: 100,
      description: `of the data of a publication; up to ${longerMost} times as much where few have to fill a queue`,
    },
    bytesPerSecond: { default: 1_000, description: 'that a slow reader reads' },
    noiseMs: { default: 3, description: 'by which a p99 may differ for no reason; more where others use the machine' },
  },
  choices: {
    transport: {
      default: 'websocket',
      choices: ['websocket', 'sse', 'http_stream'],
      description: 'of the slow readers; the fast ones have WebSockets',
    },
  },
  run: async (given, say, chosen) => {
    const options = { ...given, ...chosen } as unknown as Options;
    const node = await spawnNode({
      // A thousand at once from one address, and a publisher for all: what is proved here is not admission.
      settings: {
        connectionsPerAddressMax: 1_000_000,
        connectRateMax: 0,
        loopLagMaxMs: 0,
        commandRateMax: 0,
        outboundBytesMax,
      },
      namespaces: modes,
    });
    const broken: string[] = [];
    const figures: Record<string, unknown> = {};
    try {
      for (const mode of Object.keys(modes)) figures[mode] = await new Scene(node, mode, options, say).run(broken);
    } finally {
      await node.close();
    }
    return { broken, figures };
  },
};

/** One delivery mode: fast readers that stay, slow ones that come and go. */
class Scene {
  readonly #node: SpawnedNode;
  readonly #mode: string;
  readonly #options: Options;
  readonly #say: (line: string) => void;
  readonly #channel: string;
  readonly #without = new Histogram();
  readonly #with = new Histogram();
  readonly #memoryMiB = { without: 0, with: 0 };
  readonly #slow: SlowSubscriber[] = [];
  #lastRightMs = 0;
  /** Publications that the slowest is behind, every `sampleMs` of the last phase with slow ones. */
  #behind: number[] = [];
  #lost = 0;

  constructor(node: SpawnedNode, mode: string, options: Options, say: (line: string) => void) {
    this.#node = node;
    this.#mode = mode;
    this.#options = options;
    this.#say = say;
    this.#channel = `${mode}:x`;
  }

  async run(broken: string[]): Promise<Record<string, unknown>> {
    const { readers, rate, rounds } = this.#options;
    const token = await this.#node.token({ user: 'slow' });
    const peer = await RawPeer.open({ port: this.#node.port, token });
    const memory = new MemoryWatch(this.#node.pid);
    const target = { host: '127.0.0.1', port: this.#node.port, path: '/connection/websocket' };
    const tutti = { secret: testTokenSecret, channel: this.#channel };
    let fleet: Fleet | undefined;
    try {
      fleet = await Fleet.connect({ connections: readers, target: { ...target, tutti } });
      const more = (number: number): object => ({ key: `k${number % keys}`, final: this.#isFinal(number) });
      const publisher = new PacedPublisher(peer, {
        channel: this.#channel,
        perSecond: rate,
        payloadBytes: this.#payloadBytes,
        more,
      });
      await publisher.run(warmUpMs);
      await pause(settleMs);
      for (let round = 1; round <= rounds || (round <= rounds + roundsMore && this.#isSlower); round += 1) {
        await this.#withoutSlow(fleet, publisher, memory);
        await this.#withSlow(fleet, publisher, memory, token, broken);
      }
    } finally {
      memory.stop();
      peer.close();
      await fleet?.close();
    }
    return this.#judge(broken);
  }

  async #withoutSlow(fleet: Fleet, publisher: PacedPublisher, memory: MemoryWatch): Promise<void> {
    memory.takeMost();
    await this.#measure(fleet, publisher, this.#without);
    this.#memoryMiB.without = Math.max(this.#memoryMiB.without, memory.takeMost());
  }

  async #withSlow(
    fleet: Fleet,
    publisher: PacedPublisher,
    memory: MemoryWatch,
    token: string,
    broken: string[],
  ): Promise<void> {
    const { slow, bytesPerSecond, transport } = this.#options;
    const first = publisher.last + 1;
    const { port } = this.#node;
    const options = { port, token, channel: this.#channel, bytesPerSecond, first, transport };
    const slowOnes = await Promise.all(Array.from({ length: slow }, () => SlowSubscriber.open(options)));
    this.#behind = [];
    const sampling = setInterval(() => {
      this.#behind.push(publisher.last - Math.min(...slowOnes.map((one) => one.last)));
    }, sampleMs);
    try {
      memory.takeMost();
      let lastRight = Promise.resolve(0);
      await this.#measure(fleet, publisher, this.#with, () => {
        lastRight = this.#untilLast(slowOnes, publisher.last);
      });
      const rightMs = await lastRight;
      this.#memoryMiB.with = Math.max(this.#memoryMiB.with, memory.takeMost());
      if (this.#isConflated) {
        this.#lastRightMs = Math.max(this.#lastRightMs, rightMs);
        if (rightMs > this.#lastWithinMs)
          broken.push(`${this.#mode}: the last value was not right within ${this.#lastWithinMs} ms`);
      }
      for (const one of slowOnes) one.readFast();
      await eventually(() => slowOnes.every((one) => one.last === publisher.last || one.ended !== undefined), {
        what: 'all slow readers at the last publication',
        withinMs: 30_000,
      }).catch((error: unknown) => broken.push(`${this.#mode}: ${String(error)}`));
      this.#judgeSlow(slowOnes, first, publisher.last, broken);
      this.#slow.push(...slowOnes);
    } finally {
      clearInterval(sampling);
      for (const one of slowOnes) one.close();
    }
  }

  /** Publishes for a phase, and adds what the fast ones measured. */
  async #measure(fleet: Fleet, publisher: PacedPublisher, into: Histogram, whenPublished?: () => void): Promise<void> {
    await fleet.reset();
    const before = publisher.last;
    await publisher.run(this.#options.seconds * 1_000);
    whenPublished?.();
    await pause(settleMs);
    let deliveries = 0;
    for (const received of await fleet.expect(0, 1_000)) {
      into.merge(received.latency);
      deliveries += received.deliveries;
    }
    this.#lost += (publisher.last - before) * this.#options.readers - deliveries;
  }

  /** Milliseconds until every slow reader has the last publication; Infinity where one is too late. */
  async #untilLast(slowOnes: readonly SlowSubscriber[], last: number): Promise<number> {
    const started = performance.now();
    while (performance.now() - started <= this.#lastWithinMs) {
      if (slowOnes.every((one) => one.last === last)) return Math.round(performance.now() - started);
      await pause(10);
    }
    return Infinity;
  }

  #judgeSlow(slowOnes: readonly SlowSubscriber[], first: number, last: number, broken: string[]): void {
    const sum = (what: (one: SlowSubscriber) => number): number =>
      slowOnes.reduce((total, one) => total + what(one), 0);
    const finals = Array.from({ length: last - first + 1 }, (_, i) => first + i).filter((number) =>
      this.#isFinal(number),
    );
    const faults = {
      'slow readers were unsubscribed': sum((one) => (one.unsubscribed ? 1 : 0)),
      'publications went back': sum((one) => one.wentBack),
      'publications were left out and not told': sum((one) => one.untold),
      'publications were told to be missing, and were not': sum((one) => one.mistold),
      'final publications did not come': sum((one) => finals.filter((number) => !one.seen.has(number)).length),
      'publications were left out': this.#mode === 'all_with_history' ? sum((one) => one.skipped) : 0,
    };
    for (const why of new Set(slowOnes.flatMap(({ ended = '' }) => (ended === '' ? [] : [ended]))))
      broken.push(`${this.#mode}: a slow reader was ended: ${why}`);
    for (const [what, count] of Object.entries(faults)) if (count > 0) broken.push(`${this.#mode}: ${count} ${what}`);
  }

  get #payloadBytes(): number {
    const { rate, seconds, bytes } = this.#options;
    if (this.#isConflated) return bytes;
    return bytes * Math.min(longerMost, Math.ceil(phaseBytesMin / (rate * seconds * bytes)));
  }

  get #lastWithinMs(): number {
    const { transport, bytesPerSecond } = this.#options;
    return transport === 'websocket' ? lastWithinMs : lastWithinMs + (streamBytesBefore / bytesPerSecond) * 1_000;
  }

  #isFinal(number: number): boolean {
    return number % this.#options.rate === 0;
  }

  get #isConflated(): boolean {
    return this.#mode.startsWith('latest');
  }

  get #isSlower(): boolean {
    const [before, after] = [this.#without.quantile(0.99) / 1_000, this.#with.quantile(0.99) / 1_000];
    return after > slowerAtMost * before && after - before > this.#options.noiseMs;
  }

  #judge(broken: string[]): Record<string, unknown> {
    const ms = (of: Histogram, share: number): number => Math.round(of.quantile(share) / 10) / 100;
    const p99Ms = { without: ms(this.#without, 0.99), with: ms(this.#with, 0.99) };
    if (this.#isSlower)
      broken.push(`${this.#mode}: p99 of the fast ones rose from ${p99Ms.without} to ${p99Ms.with} ms`);
    const { without, with: most } = this.#memoryMiB;
    if (most > without + moreMemoryMaxMiB) broken.push(`${this.#mode}: memory rose from ${without} to ${most} MiB`);
    if (!this.#isConflated && this.#lost > 0)
      broken.push(`${this.#mode}: fast readers missed ${this.#lost} deliveries`);
    const slowSeen = this.#slow.map((one) => one.seen.size);
    const figures = {
      p50Ms: { without: ms(this.#without, 0.5), with: ms(this.#with, 0.5) },
      p99Ms,
      ratio: Math.round((p99Ms.with / p99Ms.without) * 100) / 100,
      fastDeliveries: this.#without.total + this.#with.total,
      fastNotDelivered: this.#lost,
      memoryMiB: this.#memoryMiB,
      ...(this.#isConflated ? { lastRightMs: this.#lastRightMs } : {}),
      slowBehind: this.#behind,
      slowSeen: { least: Math.min(...slowSeen), most: Math.max(...slowSeen) },
      slowSkipped: this.#slow.reduce((sum, one) => sum + one.skipped, 0),
    };
    const { slowBehind, ...said } = figures;
    this.#say(`${this.#mode}: ${JSON.stringify(said)}`);
    return { ...said, slowBehind };
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
