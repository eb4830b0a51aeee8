import type { HookFunctions } from '../config/hook-functions.ts';
import { hookProblems } from '../config/hook-problems.ts';
import type { Settings } from '../config/options.ts';
import { Fault } from '../core/fault.ts';
import { EndHooks } from '../hooks/end-hooks.ts';
import { guardedHooks, type GuardSeams } from '../hooks/guarded-hooks.ts';
import type { Hooks } from '../hooks/hooks.ts';
import { inProcessHooks } from '../hooks/in-process.ts';
import type { NodeObserver } from '../observer/node-observer.ts';

export interface WiredHooks {
  readonly hooks: Hooks;
  readonly observers: readonly NodeObserver[];
}

/** The hooks of the settings and of the program. Throws `Fault` where the two do not fit together. */
export function wireHooks(settings: Settings, functions: HookFunctions, seams: GuardSeams): WiredHooks {
  const given = new Set(Object.keys(functions).filter((name) => functions[name as keyof HookFunctions] !== undefined));
  // Settings that come from code have passed no check.
  const [problem] = hookProblems(settings, given);
  if (problem !== undefined) {
    const { option, path = '', message } = problem;
    throw new Fault('config', `${option}${path} ${message}`, { retryable: false });
  }
  const { connectHookFor: connectFor, hookTimeoutMs: timeoutMs, hookCallsMax: callsMax } = settings;
  const hooks = guardedHooks(
    inProcessHooks(functions, { hasTenants: settings.tenantClaim !== '' }),
    { connectFor, timeoutMs, callsMax },
    seams,
  );
  const isToldOfEnds = given.has('disconnect') || given.has('unsubscribe');
  const observers = isToldOfEnds ? [new EndHooks(functions, { ...seams, log: seams.telemetry.log })] : [];
  return { hooks, observers };
}
