import { isLoopback } from '../config/contradictions.ts';
import { settingsFromCode } from '../config/from-code.ts';
import type { Settings } from '../config/options.ts';
import { formatProblem } from '../config/problem.ts';
import { Fault } from '../core/fault.ts';
import type { ServerOptions } from '../server.ts';

/** What a node runs with. Throws `Fault` that names everything that is wrong. */
export function settingsOf({ settings, config, hooks = {}, server, prefix }: ServerOptions): Settings {
  if (settings !== undefined && config !== undefined) throw fault('createServer takes settings or config, not both');
  if (prefix !== undefined && !/^(\/[\w.~-]+)*$/.test(prefix)) {
    throw fault('prefix must be empty, or a path such as /tutti, without a slash at its end');
  }
  if (prefix !== undefined && server === undefined) throw fault('prefix is for a node that is attached to a server');
  const resolved = settings ?? read(config ?? {}, hooks);
  mustKeepToItself(resolved, server !== undefined);
  return resolved;
}

function read(config: NonNullable<ServerOptions['config']>, hooks: object): Settings {
  const { settings, problems } = settingsFromCode(config, new Set(Object.keys(hooks)));
  if (problems.length === 0) return settings;
  throw fault(problems.map(formatProblem).join('\n'));
}

/** Settings that come from code have passed no check, and this one lets everybody do anything (S5). */
function mustKeepToItself({ insecure, host }: Settings, isAttached: boolean): void {
  if (!insecure) return;
  if (isAttached) throw fault('a node that is insecure has a server of its own: nobody knows who reaches this one');
  if (isLoopback(host)) return;
  throw fault(`host must be a loopback address (127.0.0.1, ::1, localhost) on a node that is insecure, not ${host}`);
}

function fault(message: string): Fault {
  return new Fault('config', message, { retryable: false });
}
