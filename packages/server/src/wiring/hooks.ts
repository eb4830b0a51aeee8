import type { HookFunctions } from '../config/hook-functions.ts';
import { hookProblems, hookUrlOptions } from '../config/hook-problems.ts';
import type { Settings } from '../config/options.ts';
import { Fault } from '../core/fault.ts';
import type { Random } from '../core/random.ts';
import { EndHooks } from '../hooks/end-hooks.ts';
import { guardedHooks, type GuardSeams } from '../hooks/guarded-hooks.ts';
import { hookNames, type HookName, type Hooks } from '../hooks/hooks.ts';
import { HttpHooks } from '../hooks/http/http-hooks.ts';
import { inProcessHooks } from '../hooks/in-process.ts';
import type { NodeObserver } from '../observer/node-observer.ts';
import { version } from '../version.ts';

export interface WiredHooks {
  readonly hooks: Hooks;
  readonly observers: readonly NodeObserver[];
  /** For the metrics. */
  readonly openBreakers: () => number;
  close(): void;
}

/** The hooks of the settings and of the program. Throws `Fault` where the two do not fit together. */
export function wireHooks(
  settings: Settings,
  functions: HookFunctions,
  seams: GuardSeams & { readonly random: Random },
): WiredHooks {
  const given = new Set(Object.keys(functions).filter((name) => functions[name as keyof HookFunctions] !== undefined));
  mustFit(settings, given);
  const { connectHookFor: connectFor, hookTimeoutMs: timeoutMs, hookCallsMax: callsMax } = settings;
  const hasTenants = settings.tenantClaim !== '';
  const inProcess = inProcessHooks(functions, { hasTenants });
  const urls = new Map(hookNames.flatMap((name) => urlOf(settings, name)));
  const http = new HttpHooks({ urls, secret: settings.hookSecret, timeoutMs, callsMax, hasTenants, version }, seams);
  const isToldOfEnds = given.has('disconnect') || given.has('unsubscribe');
  return {
    hooks: {
      ...guardedHooks(inProcess, { connectFor, timeoutMs, callsMax }, seams),
      ...guardedHooks(http.calls, { connectFor, timeoutMs: settings.hookTotalTimeoutMs, callsMax }, seams),
    },
    observers: isToldOfEnds ? [new EndHooks(functions, { ...seams, log: seams.telemetry.log })] : [],
    openBreakers: () => http.openBreakers,
    close: () => http.close(),
  };
}

/** Settings that come from code have passed no check. */
function mustFit(settings: Settings, given: ReadonlySet<string>): void {
  const [problem] = hookProblems(settings, given);
  if (problem === undefined) return;
  const { option, path = '', message } = problem;
  throw new Fault('config', `${option}${path} ${message}`, { retryable: false });
}

function urlOf(settings: Settings, name: HookName): [HookName, string][] {
  const url = settings[hookUrlOptions[name]];
  return url === '' ? [] : [[name, url]];
}
