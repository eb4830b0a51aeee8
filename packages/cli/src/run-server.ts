import type { HookFunctions, RpcHandler, Settings } from '@tutti/server/config';
import type { Log, TuttiServer } from '@tutti/server';

import { CliError } from './cli-error.ts';
import type { Output } from './output.ts';
import { PidFile } from './pid-file.ts';
import { stopRequested } from './stop-requested.ts';

export interface RunServerOptions {
  readonly settings: Settings;
  readonly rpc: Readonly<Record<string, RpcHandler>>;
  readonly hooks: HookFunctions;
  /** Log lines for people, on standard error. Else JSON lines, on standard output. */
  readonly prettyLog: boolean;
  readonly output: Output;
}

/**
 * Runs a node until SIGTERM or SIGINT, then drains and stops it (CON-3). `started` may return what
 * is to be called before the node stops. Throws where the end was not as planned.
 */
export async function runServer(
  { settings, rpc, hooks, prettyLog, output }: RunServerOptions,
  started: (server: TuttiServer) => (() => void) | undefined,
): Promise<void> {
  // Signals are heard from before the start: one that comes during it stops the node as well.
  const stop = stopRequested(() => {
    output.warn('asked twice: the node ends at once, connections are cut');
  });
  // Loaded late: the other commands start faster without a server.
  const { createServer } = await import('@tutti/server');
  let server: TuttiServer;
  try {
    server = await createServer({ settings, rpc, hooks, ...(prettyLog ? { log: await logForPeople(settings) } : {}) });
  } catch (error) {
    stop.forget();
    throw startFailure(error);
  }
  const pidFile = writePidFile(settings, server, output);
  const ending = started(server);
  await stop.requested;
  ending?.();
  await drained(server, output);
  // Last, and only here: its absence tells `tutti drain` that all went as planned.
  pidFile?.remove();
  stop.forget();
}

async function drained(server: TuttiServer, output: Output): Promise<void> {
  const { connections, cut } = await server.drain(({ left, perSecondMax }) => {
    if (left > 0) output.note(`draining: ${left} connections left, up to ${perSecondMax} a second`);
  });
  if (cut === 0) return;
  throw new CliError(`${cut} of ${connections} connections were closed before their last commands were answered`, {
    remedies: ['What was not acknowledged may or may not have happened: clients repeat it with its idempotency key.'],
  });
}

function writePidFile({ dataDir }: Settings, { url, metricsUrl }: TuttiServer, output: Output): PidFile | undefined {
  const file = new PidFile(dataDir);
  const problem = file.write({ url, metricsUrl });
  if (problem === undefined) return file;
  output.note(`tutti drain will not find this node: ${problem}`);
  return undefined;
}

/** A `Fault` says what to change; anything else is a bug, and keeps its stack as cause. */
function startFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'Fault') return error;
  return new CliError(error.message, { cause: error });
}

async function logForPeople({ logLevel: level }: Settings): Promise<Log> {
  const [{ PinoLog }, { SystemClock }] = await Promise.all([import('@tutti/server'), import('@tutti/server/internal')]);
  const color = process.stderr.isTTY && process.stderr.hasColors();
  return new PinoLog({ level, pretty: true, color, destination: process.stderr }, new SystemClock());
}
