import type { Log } from '../telemetry/telemetry.ts';
import type { Clock, Timer } from './clock.ts';
import type { Random } from './random.ts';

/** After a failure it is looked again so soon. */
const failedIntervalMs = 1_000;

/** One thing a node cannot do without. */
export interface ReadinessCheck {
  readonly name: string;
  /** Resolves where it works, rejects where it does not; may never settle, then it is late. Called again after that. */
  run(): Promise<void>;
}

export interface CheckReport {
  readonly name: string;
  readonly ok: boolean;
  /** Since when it has been so: milliseconds since 1970. */
  readonly sinceMs: number;
  /** Words of ours and nothing of the failure: the log has that (S28). */
  readonly reason?: 'not checked yet' | 'failed' | 'timed out';
}

export interface ReadyReport {
  readonly ready: boolean;
  readonly draining: boolean;
  readonly checks: readonly CheckReport[];
}

export interface ReadinessOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly checks: readonly ReadinessCheck[];
  /** Time between rounds of checks, at most; jittered. */
  readonly canaryIntervalMs: number;
  readonly canaryTimeoutMs: number;
}

/**
 * Whether the node should be sent new connections: it has started, all its checks succeeded in time when
 * they were last made, it is not stopping. The checks have their own pace: whoever asks costs nothing (S28).
 */
export class Readiness {
  readonly #options: ReadinessOptions;
  readonly #states: CheckReport[];
  #isStarted = false;
  #isDraining = false;
  #isStopped = false;
  #timer: Timer | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    const sinceMs = options.clock.now();
    this.#states = options.checks.map(({ name }) => ({ name, ok: false, sinceMs, reason: 'not checked yet' }));
  }

  /** Makes the first round of checks, and from then on one after the other. Never rejects. */
  async start(): Promise<void> {
    await this.#round();
    this.#isStarted = true;
  }

  /** From now on not ready. */
  drain(): void {
    this.#isDraining = true;
  }

  /** No check is made any more. */
  stop(): void {
    this.#isDraining = true;
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  get isReady(): boolean {
    return this.#isStarted && !this.#isDraining && this.#states.every(({ ok }) => ok);
  }

  /** As last known. */
  report(): ReadyReport {
    return { ready: this.isReady, draining: this.#isDraining, checks: [...this.#states] };
  }

  async #round(): Promise<void> {
    await Promise.all(this.#options.checks.map((check, i) => this.#check(check, i)));
    if (this.#isStopped) return;
    const { clock, random, canaryIntervalMs } = this.#options;
    const allOk = this.#states.every(({ ok }) => ok);
    // Jittered, so that the nodes of a cluster do not write in step.
    const waitMs = (allOk ? canaryIntervalMs : Math.min(canaryIntervalMs, failedIntervalMs)) * (1 - random.next() / 4);
    this.#timer = clock.after(waitMs, () => void this.#round());
  }

  async #check(check: ReadinessCheck, index: number): Promise<void> {
    const { reason, error } = await this.#inTime(check);
    const before = this.#states[index];
    const ok = reason === undefined;
    if (this.#isStopped || before === undefined || (before.ok === ok && before.reason === reason)) return;
    const state = { name: check.name, ok, sinceMs: this.#options.clock.now() };
    this.#states[index] = reason === undefined ? state : { ...state, reason };
    this.#tell(before, reason, error);
  }

  #inTime(check: ReadinessCheck): Promise<{ reason?: 'failed' | 'timed out'; error?: unknown }> {
    const { clock, canaryTimeoutMs } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.after(canaryTimeoutMs, () => {
        resolve({ reason: 'timed out' });
      });
      check
        .run()
        .then(
          () => resolve({}),
          (error: unknown) => resolve({ reason: 'failed', error }),
        )
        .finally(() => timer.cancel());
    });
  }

  /** Once for each change, so that a check that goes on failing fills no log. */
  #tell({ name: check, reason: before }: CheckReport, reason: CheckReport['reason'], error: unknown): void {
    const { log } = this.#options;
    if (reason !== undefined) log.warn({ check, reason, error }, 'not ready: a check does not succeed');
    else if (before !== 'not checked yet') log.info({ check }, 'a check succeeds again');
  }
}
