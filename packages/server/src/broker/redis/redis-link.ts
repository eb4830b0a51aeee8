import type { Clock, Timer } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import { loadDriver, type Driver, type RedisAddress } from './driver.ts';
import { faultOf, RedisFault } from './redis-fault.ts';
import { addressOf } from '../../config/redis-target.ts';
import type { ServerFacts } from './server-facts.ts';
import { ServerLink, type CommandArgument } from './server-link.ts';
import { slotsCount } from './slots.ts';
import { findShards, type Shard } from './topology.ts';

export interface RedisLinkOptions {
  readonly target: RedisAddress;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /**
   * Asked of each server that is connected to: why it must not be used, if so. The node then does not
   * start, or stays not ready until the server is another.
   */
  readonly unfit?: (facts: ServerFacts, address: string) => string | undefined;
}

export type MessageHandler = (channel: string, message: Uint8Array) => void;

interface Subscribed {
  readonly slot: number;
  readonly handler: MessageHandler;
  /** Where it stands, or is being made; undefined until it is made anew. */
  home: ServerLink | undefined;
  ready: Promise<void>;
}

/** How long a start waits for Redis, before the node starts without. */
const startMsMax = 2_000;
const pauseMsMin = 50;
const pauseMsMax = 1_000;
/** Sentinels and Clusters are asked so often who is master now. */
const recheckMs = 5_000;

/**
 * The connections to Redis: one for each master, and which slots it serves. One server is a Cluster of
 * one. What breaks is made anew for as long as the link is open; meanwhile commands for it fail at once.
 * After each mending every subscription stands again, and who listens is told that something may have
 * been lost.
 */
export class RedisLink {
  readonly #options: RedisLinkOptions;
  readonly #homes = new Map<string, ServerLink>();
  readonly #bySlot = new Array<ServerLink | undefined>(slotsCount).fill(undefined);
  readonly #subscribed = new Map<string, Subscribed>();
  readonly #interrupted = new Set<() => void>();
  readonly #broken = new Set<() => void>();
  #driver: Driver | undefined;
  /** Who opened it and has not closed it. */
  #users = 0;
  #opening: Promise<void> | undefined;
  #first: PromiseWithResolvers<void> | undefined;
  #isMending = false;
  #mustMend = false;
  #isClosed = false;
  /** A connection or subscription was made in another's place, and nobody has been told. */
  #isRenewed = false;
  #hasBeenRenewed = false;
  #hasSaidSo = false;
  #recheck: Timer | undefined;
  #wake: (() => void) | undefined;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
  }

  get isSharded(): boolean {
    return this.#options.target.kind === 'cluster';
  }

  /**
   * Opens the link; each who shares it calls it, and `close` in the end. Resolves when Redis is reached, or
   * after two seconds without: the link then goes on trying. Throws `Fault` where trying on is of no use:
   * no driver, or a server that must not be used.
   */
  open(): Promise<void> {
    this.#users += 1;
    return (this.#opening ??= this.#open());
  }

  /** Told after each break, when all is whole again. */
  onInterrupted(listener: () => void): void {
    this.#interrupted.add(listener);
  }

  /** Told when a connection or a subscription broke: messages on the way may not come any more. */
  onBroken(listener: () => void): void {
    this.#broken.add(listener);
  }

  /** Sent in this turn to the master of the slot. Rejects with `RedisFault`. */
  call(slot: number, command: string, args: readonly CommandArgument[], bytes = 0): Promise<unknown> {
    const home = this.#bySlot[slot];
    if (home?.isOpen !== true) return Promise.reject(this.#absent());
    return home.call(command, args, bytes);
  }

  /** After it resolves, messages of the channel reach the handler. Idempotent. */
  subscribe(channel: string, slot: number, handler: MessageHandler): Promise<void> {
    const known = this.#subscribed.get(channel);
    if (known !== undefined) return known.ready;
    const home = this.#bySlot[slot];
    if (home?.isOpen !== true) return Promise.reject(this.#absent());
    const made: Subscribed = { slot, handler, home, ready: home.subscribe([channel]) };
    this.#subscribed.set(channel, made);
    made.ready.catch(() => {
      if (this.#subscribed.get(channel) === made) this.#subscribed.delete(channel);
    });
    return made.ready;
  }

  /** Stands from now on, or, where its server is away, from its return. Rejects where the server refuses. */
  async keepSubscribed(channel: string, slot: number, handler: MessageHandler): Promise<void> {
    const home = this.#bySlot[slot];
    const kept: Subscribed = { slot, handler, home: undefined, ready: Promise.resolve() };
    this.#subscribed.set(channel, kept);
    if (home?.isOpen !== true) return;
    kept.home = home;
    try {
      await home.subscribe([channel]);
    } catch (error) {
      if (kept.home === home) kept.home = undefined;
      if (!faultOf(error, 'redis').retryable) throw error;
      this.#mend();
    }
  }

  /** Resolves when the replicas have all that was called for the slot until now. Rejects with `RedisFault`. */
  confirm(slot: number, replicas: number): Promise<void> {
    const home = this.#bySlot[slot];
    return home?.isOpen === true ? home.confirm(replicas) : Promise.reject(this.#absent());
  }

  async unsubscribe(channel: string): Promise<void> {
    const known = this.#subscribed.get(channel);
    if (known === undefined) return;
    this.#subscribed.delete(channel);
    if (known.home?.isOpen === true) await known.home.unsubscribe(channel);
  }

  /** A message of the channel that its server sends from now on arrives here, unless the connection breaks. */
  isSubscribed(channel: string): boolean {
    return this.#subscribed.get(channel)?.home?.isOpen === true;
  }

  /** Sends what waits, and closes when the last one who opened it has called it. */
  async close(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0 || this.#isClosed) return;
    this.#isClosed = true;
    this.#recheck?.cancel();
    this.#wake?.();
    await Promise.all([...this.#homes.values()].map((home) => home.close()));
    this.#subscribed.clear();
  }

  async #open(): Promise<void> {
    this.#driver = await loadDriver();
    this.#first = Promise.withResolvers();
    const timer = this.#options.clock.after(startMsMax, () => this.#first?.resolve());
    this.#mend();
    try {
      await this.#first.promise;
    } finally {
      timer.cancel();
      this.#first = undefined;
    }
    this.#armRecheck();
  }

  #absent(): RedisFault {
    if (this.#isClosed) return new RedisFault('the broker is closed', { retryable: false });
    if (this.#driver === undefined) return new RedisFault('the broker was not started', { retryable: false });
    return new RedisFault('redis: not connected');
  }

  #mend(): void {
    this.#mustMend = true;
    if (!this.#isMending) void this.#mendUntilWhole();
  }

  /** One at a time. Never rejects. */
  async #mendUntilWhole(): Promise<void> {
    this.#isMending = true;
    for (let tries = 0; this.#mustMend && !this.#isClosed; tries++) {
      this.#mustMend = false;
      try {
        await this.#round();
        this.#note(undefined);
        tries = 0;
      } catch (error) {
        this.#mustMend = true;
        this.#note(faultOf(error, 'redis'));
      }
      this.#tellInterrupted();
      if (this.#mustMend && !this.#isClosed) await this.#pause(tries);
    }
    this.#isMending = false;
  }

  /** Throws what keeps the link from being whole; what could be mended is. */
  async #round(): Promise<void> {
    const { target, clock, random } = this.#options;
    const driver = this.#driver as Driver;
    const known = [...this.#homes.values()].map((home) => ({
      server: home.server,
      ask: (command: string, args: readonly string[]) => home.call(command, args),
    }));
    // Another one each time: one alone may be cut off from the others, and wrong.
    const first = Math.floor(random.next() * known.length);
    const asked = [...known.slice(first), ...known.slice(0, first)];
    const shards = await findShards(target, driver, clock, asked);
    const opened = await Promise.allSettled(shards.map((shard) => this.#home(shard)));
    if (this.#isClosed) return;
    this.#assign(shards);
    await this.#subscribeAgain();
    const failed = opened.find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Also where a part of a Cluster is still away: what is back is back. Never with the first connections. */
  #tellInterrupted(): void {
    if (!this.#isRenewed || this.#isClosed) return;
    this.#isRenewed = false;
    if (this.#hasBeenRenewed) for (const listener of this.#interrupted) listener();
    this.#hasBeenRenewed = true;
  }

  async #home({ server }: Shard): Promise<void> {
    const { target, clock, unfit } = this.#options;
    const address = addressOf(server);
    if (this.#homes.get(address)?.isOpen === true) return;
    let home: ServerLink | undefined = undefined;
    const link = await ServerLink.open({
      driver: this.#driver as Driver,
      server,
      credentials: target,
      sharded: this.isSharded,
      clock,
      events: {
        message: (channel, message) => this.#subscribed.get(channel)?.handler(channel, message),
        unsubscribed: () => this.#lost(home),
        moved: () => this.#mend(),
        ended: () => this.#ended(home),
      },
    });
    const reason = unfit?.(link.facts, address);
    if (reason === undefined && link.isOpen && !this.#isClosed) {
      home = link;
      this.#homes.set(address, link);
      this.#isRenewed = true;
      return;
    }
    if (!link.isOpen) throw new RedisFault(`redis: ${address} closed the connection`);
    const fault = new RedisFault(reason ?? 'the broker is closed', { retryable: false });
    link.end(fault);
    throw fault;
  }

  #ended(link: ServerLink | undefined): void {
    if (link === undefined || this.#homes.get(link.address) !== link) return;
    this.#homes.delete(link.address);
    this.#lost(link);
  }

  /** The subscriptions that stood there are made anew. */
  #lost(link: ServerLink | undefined): void {
    for (const subscribed of this.#subscribed.values()) {
      if (link !== undefined && subscribed.home === link) subscribed.home = undefined;
    }
    for (const listener of this.#broken) listener();
    this.#mend();
  }

  #assign(shards: readonly Shard[]): void {
    const bySlot = new Array<ServerLink | undefined>(slotsCount).fill(undefined);
    const wanted = new Set<ServerLink>();
    for (const { server, ranges } of shards) {
      const home = this.#homes.get(addressOf(server));
      if (home === undefined) continue;
      wanted.add(home);
      for (const [from, to] of ranges) bySlot.fill(home, from, to + 1);
    }
    bySlot.forEach((home, slot) => (this.#bySlot[slot] = home));
    for (const home of [...this.#homes.values()]) {
      // It serves nothing any more: a master that was one before a fail-over.
      if (!wanted.has(home)) home.end(new RedisFault(`redis: ${home.address} is not the master any more`));
    }
  }

  /** Where a subscription stands on another server than its slot's, or on none. */
  async #subscribeAgain(): Promise<void> {
    const due = new Map<ServerLink, string[]>();
    for (const [channel, subscribed] of this.#subscribed) {
      const home = this.#bySlot[subscribed.slot];
      if (home === undefined || subscribed.home === home) continue;
      if (subscribed.home?.isOpen === true) subscribed.home.unsubscribe(channel).catch(() => undefined);
      subscribed.home = home;
      const channels = due.get(home);
      if (channels === undefined) due.set(home, [channel]);
      else channels.push(channel);
    }
    if (due.size > 0) this.#isRenewed = true;
    const making = [...due].map(async ([home, channels]) => {
      try {
        await home.subscribe(channels);
      } catch (error) {
        for (const channel of channels) {
          const subscribed = this.#subscribed.get(channel);
          if (subscribed?.home === home) subscribed.home = undefined;
        }
        throw error;
      }
    });
    const failed = (await Promise.allSettled(making)).find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Said when the state changes, not with each try. */
  #note(fault: RedisFault | undefined): void {
    const { log, target } = this.#options;
    const fields = { engine: target.kind, servers: [...this.#homes.keys()] };
    if (fault === undefined) {
      if (this.#hasSaidSo) log?.info(fields, 'redis is there again');
      this.#hasSaidSo = false;
      this.#first?.resolve();
      return;
    }
    if (!this.#hasSaidSo) log?.error({ ...fields, error: fault }, `${fault.message}; trying on`);
    this.#hasSaidSo = true;
    if (fault.code === '' && !fault.retryable) this.#first?.reject(fault);
  }

  #pause(tries: number): Promise<void> {
    const { clock, random } = this.#options;
    const ms = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(tries, 10)) * (0.5 + random.next() / 2);
    return new Promise((resolve) => {
      const timer = clock.after(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #armRecheck(): void {
    if (this.#options.target.kind === 'single' || this.#isClosed) return;
    this.#recheck = this.#options.clock.after(recheckMs, () => {
      this.#mend();
      this.#armRecheck();
    });
  }
}
