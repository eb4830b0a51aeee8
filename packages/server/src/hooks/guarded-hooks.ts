import { Disconnect, Rejection, rejections } from '@tutti/protocol';
import type { Clock } from '../core/clock.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { HookFailure, type HookOutcome } from './hook-failure.ts';
import type { HookCalls, HookName, Hooks } from './hooks.ts';

export interface GuardOptions {
  readonly connectFor: Hooks['connectFor'];
  /** A call that takes longer has failed. */
  readonly timeoutMs: number;
  /** Calls of one hook that are under way; more are refused. Each hook has its own, so that one that hangs leaves the others theirs. */
  readonly callsMax: number;
}

export interface GuardSeams {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** Failures of one hook are said at once, then at most so often. */
const logIntervalMs = 10_000;

/** Makes the promise of `Hooks` true for calls that promise nothing: in time, within bounds, and never an error of another kind. */
export function guardedHooks(calls: HookCalls, options: GuardOptions, seams: GuardSeams): Hooks {
  const { connect, refresh, subscribe, subRefresh, publish, rpc } = calls;
  return {
    connectFor: options.connectFor,
    ...(connect && { connect: guarded('connect', connect, options, seams) }),
    ...(refresh && { refresh: guarded('refresh', refresh, options, seams) }),
    ...(subscribe && { subscribe: guarded('subscribe', subscribe, options, seams) }),
    ...(subRefresh && { subRefresh: guarded('subRefresh', subRefresh, options, seams) }),
    ...(publish && { publish: guarded('publish', publish, options, seams) }),
    ...(rpc && { rpc: guarded('rpc', rpc, options, seams) }),
  };
}

type Call<Ask, Grant> = (ask: Ask, signal: AbortSignal) => Promise<Grant>;

function guarded<Ask, Grant>(
  name: HookName,
  call: Call<Ask, Grant>,
  options: GuardOptions,
  seams: GuardSeams,
): (ask: Ask) => Promise<Grant> {
  const guard = new Guard(name, options, seams);
  return (ask) => guard.run((signal) => call(ask, signal));
}

/** The calls of one hook. */
class Guard {
  readonly #name: HookName;
  readonly #options: GuardOptions;
  readonly #seams: GuardSeams;
  #underWay = 0;
  #unsaid = 0;
  #sayAtMs = -Infinity;

  constructor(name: HookName, options: GuardOptions, seams: GuardSeams) {
    this.#name = name;
    this.#options = options;
    this.#seams = seams;
  }

  async run<Grant>(call: (signal: AbortSignal) => Promise<Grant>): Promise<Grant> {
    if (this.#underWay >= this.#options.callsMax) {
      this.#count('busy');
      throw new Rejection(rejections.tooManyRequests, 'the application is busy: too many wait for its answer');
    }
    const { clock, telemetry } = this.#seams;
    const startedAtMs = clock.monotonic();
    this.#underWay += 1;
    try {
      const grant = await this.#inTime(call);
      this.#count('ok');
      return grant;
    } catch (error) {
      if (error instanceof Rejection || error instanceof Disconnect) {
        this.#count('refused');
        throw error;
      }
      const outcome = error instanceof HookFailure ? error.outcome : 'failed';
      this.#count(outcome);
      this.#say(error, outcome);
      throw new Rejection(rejections.hookUnavailable);
    } finally {
      this.#underWay -= 1;
      telemetry.observe('hook_ms', clock.monotonic() - startedAtMs);
    }
  }

  async #inTime<Grant>(call: (signal: AbortSignal) => Promise<Grant>): Promise<Grant> {
    const { timeoutMs } = this.#options;
    const waiting = new AbortController();
    const late = Promise.withResolvers<never>();
    const timer = this.#seams.clock.after(timeoutMs, () => {
      late.reject(new HookFailure(`no answer within ${timeoutMs} ms`, { outcome: 'timeout' }));
      waiting.abort();
    });
    try {
      // What comes after the end of the race is nobody's: a late rejection is handled by the race, too.
      return await Promise.race([call(waiting.signal), late.promise]);
    } finally {
      timer.cancel();
    }
  }

  #count(outcome: HookOutcome): void {
    this.#seams.telemetry.count(`hook_calls_${outcome}`, 1, this.#name);
  }

  /** A hook that is down fails with each call: a line for each would bury the log. */
  #say(error: unknown, outcome: HookOutcome): void {
    this.#unsaid += 1;
    const nowMs = this.#seams.clock.monotonic();
    if (nowMs < this.#sayAtMs) return;
    this.#sayAtMs = nowMs + logIntervalMs;
    const fields = { seam: 'hooks', hook: this.#name, outcome, times: this.#unsaid, error };
    this.#unsaid = 0;
    this.#seams.telemetry.log.error(fields, 'a hook failed');
  }
}
