import type { PublicationDraft } from '../broker/broker.ts';
import type { Clock, Timer } from '../core/clock.ts';
import type { Counters } from './counters.ts';
import type { CounterName, Log } from './telemetry.ts';

/** Channel of the node's own figures, one publication a second: the console is a subscriber like any other. */
export const statsChannel = 'tutti:stats';

const intervalMs = 1_000;

/** What is published. Rates are a second's; times are milliseconds; sizes are bytes. */
export interface NodeStats {
  readonly time: number;
  readonly node: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly connections: number;
  readonly channels: number;
  readonly subscriptions: number;
  readonly commandsPerSecond: number;
  readonly publicationsPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly bytesInPerSecond: number;
  readonly bytesOutPerSecond: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** Of one core, 100 is all of it. */
  readonly cpuPercent: number;
  /** How late the timer of this publication was: what everything else waited, too. */
  readonly loopLagMs: number;
  readonly topChannels: readonly { readonly channel: string; readonly subscribers: number }[];
}

/** A node, as far as its figures go. */
interface Measured {
  figures(topChannels: number): Pick<NodeStats, 'connections' | 'channels' | 'subscriptions' | 'topChannels'>;
  publish(channel: string, draft: PublicationDraft): Promise<unknown>;
}

export interface StatsPublisherOptions {
  readonly clock: Clock;
  readonly counters: Pick<Counters, 'snapshot'>;
  readonly node: Measured;
  readonly nodeName: string;
  readonly version: string;
  readonly log: Log;
  /** Channels listed, those with most subscribers. */
  readonly sampleChannels: number;
}

/** Publishes the node's figures each second. */
export class StatsPublisher {
  readonly #options: StatsPublisherOptions;
  readonly #startedMs: number;
  #timer: Timer | undefined;
  #last: Sample | undefined;
  /** While an engine is away each second fails for the same reason: it is told once. */
  #isFailing = false;

  constructor(options: StatsPublisherOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonic();
  }

  start(): void {
    this.#last = this.#sample();
    this.#timer = this.#options.clock.after(intervalMs, () => {
      this.#publish();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #publish(): void {
    const { clock, node, log } = this.#options;
    const last = this.#last;
    const now = this.#sample();
    this.#last = now;
    this.#timer = clock.after(intervalMs, () => {
      this.#publish();
    });
    if (last === undefined) return;
    const data = Buffer.from(JSON.stringify(this.#stats(last, now)));
    node.publish(statsChannel, { data }).then(
      () => {
        this.#isFailing = false;
      },
      (error: unknown) => {
        if (!this.#isFailing) log.warn({ error }, 'the figures could not be published; told again once they could');
        this.#isFailing = true;
      },
    );
  }

  #sample(): Sample {
    return {
      atMs: this.#options.clock.monotonic(),
      totals: this.#options.counters.snapshot(),
      cpu: process.cpuUsage(),
    };
  }

  #stats(last: Sample, now: Sample): NodeStats {
    const { clock, node, nodeName, version, sampleChannels } = this.#options;
    const passedMs = Math.max(1, now.atMs - last.atMs);
    const rate = (name: CounterName): number => Math.round(((now.totals[name] - last.totals[name]) * 1_000) / passedMs);
    const cpuMs = (now.cpu.user + now.cpu.system - last.cpu.user - last.cpu.system) / 1_000;
    const { rss, heapUsed } = process.memoryUsage();
    return {
      time: clock.now(),
      node: nodeName,
      version,
      uptimeSeconds: Math.floor((now.atMs - this.#startedMs) / 1_000),
      ...node.figures(sampleChannels),
      commandsPerSecond: rate('commands_received'),
      publicationsPerSecond: rate('publications_accepted'),
      deliveriesPerSecond: rate('publications_delivered'),
      bytesInPerSecond: rate('bytes_received'),
      bytesOutPerSecond: rate('bytes_sent'),
      rssBytes: rss,
      heapBytes: heapUsed,
      cpuPercent: Math.round((cpuMs * 100) / passedMs),
      loopLagMs: Math.max(0, Math.round(passedMs - intervalMs)),
    };
  }
}

interface Sample {
  readonly atMs: number;
  readonly totals: ReturnType<Counters['snapshot']>;
  readonly cpu: NodeJS.CpuUsage;
}
