import type { Position } from '@tutti/protocol';
import type { Broker } from '../broker/broker.ts';
import type { Namespace } from '../config/namespace.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Clock, Timer } from './clock.ts';
import type { Hub } from './hub.ts';
import type { LookAgain } from './look-again.ts';
import type { Random } from './random.ts';
import { topsOf } from './tops-of.ts';

export interface PositionCheckOptions {
  readonly hub: Hub;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: Telemetry;
  readonly lookAgain: LookAgain;
  /** 0: only when asked to. */
  readonly intervalMs: number;
  readonly mayLoseLive: (namespace: Namespace) => boolean;
}

/** Channels whose tops are read at once. */
const batchMax = 500;
const repairsAtOnce = 32;

/**
 * Compares the positions of this node's channels with the log: finds the loss of a last message, which nothing later
 * would reveal (DEL-10). A channel of which the log knows less than it gave out is looked at again, beside the
 * rounds: nobody else waits for that.
 */
export class PositionChecks {
  readonly #options: PositionCheckOptions;
  /** Being looked at again; as many as the hub has channels, at most. */
  readonly #suspected = new Set<string>();
  #timer: Timer | undefined;
  #isVerifying = false;
  #mustVerifyAgain = false;
  #isStopped = false;

  constructor(options: PositionCheckOptions) {
    this.#options = options;
  }

  start(): void {
    const { intervalMs, clock, random } = this.#options;
    if (intervalMs === 0 || this.#isStopped) return;
    // Jittered, so that the nodes of a cluster do not ask in step.
    const wait = intervalMs * (0.75 + random.next() / 4);
    this.#timer = clock.after(wait, () => void this.verify().then(() => this.start()));
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** One round at a time. Asked for during one, another follows: that one has passed some channels already. Never rejects. */
  async verify(): Promise<void> {
    this.#mustVerifyAgain = true;
    if (this.#isVerifying) return;
    this.#isVerifying = true;
    while (this.#mustVerifyAgain && !this.#isStopped) {
      this.#mustVerifyAgain = false;
      await this.#round();
    }
    this.#isVerifying = false;
  }

  async #round(): Promise<void> {
    const { hub, mayLoseLive } = this.#options;
    const names = [...hub.channels.values()]
      .filter(
        ({ isPositioned, namespace, name }) => isPositioned && mayLoseLive(namespace) && !this.#suspected.has(name),
      )
      .map(({ name }) => name);
    const lower = [...(await this.#compare(names)).keys()];
    if (lower.length > 0) void this.#settle(lower);
  }

  /** Those of which the log knows less than it gave out, and what it knows. */
  async #compare(names: readonly string[]): Promise<Map<string, Position>> {
    const { hub, broker, telemetry } = this.#options;
    const lower = new Map<string, Position>();
    let unread = 0;
    let failure: unknown;
    for (let i = 0; i < names.length && !this.#isStopped; i += batchMax) {
      const seen = hub.positionsOf(names.slice(i, i + batchMax));
      const tops = await topsOf(broker, [...seen.keys()]).catch((error: unknown) => {
        failure = error;
        return new Map<string, Position>();
      });
      const behind: string[] = [];
      for (const [name, position] of seen) {
        const top = tops.get(name);
        if (top === undefined) unread += 1;
        else {
          const verdict = hub.compare(name, position, top);
          if (verdict === 'behind') behind.push(name);
          if (verdict === 'lower') lower.set(name, top);
        }
      }
      await this.#repair(behind);
    }
    if (unread > 0) {
      telemetry.log.warn({ seam: 'broker', channels: unread, error: failure }, 'positions could not be checked');
    }
    return lower;
  }

  async #repair(names: readonly string[]): Promise<void> {
    const waiting = names.values();
    const lane = async (): Promise<void> => {
      for (const name of waiting) await this.#options.hub.repair(name);
    };
    await Promise.all(Array.from({ length: Math.min(repairsAtOnce, names.length) }, lane));
  }

  async #settle(names: readonly string[]): Promise<void> {
    const { hub, lookAgain, telemetry } = this.#options;
    for (const name of names) this.#suspected.add(name);
    let lower = new Map<string, Position>();
    let left = names;
    for (let looks = 0; left.length > 0 && lookAgain.mayLookAgain(looks); looks += 1) {
      await lookAgain.pause(looks);
      if (this.#isStopped) return;
      lower = await this.#compare(left);
      left = [...lower.keys()];
    }
    for (const name of names) this.#suspected.delete(name);
    for (const [name, top] of lower) hub.lost(name, top);
    if (lower.size > 0) {
      telemetry.log.error(
        { seam: 'broker', channels: lower.size },
        'the log has lost what it gave out: subscribers begin again',
      );
    }
  }
}
