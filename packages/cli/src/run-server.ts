import type { RpcHandler, Settings } from '@tutti/server/config';
import type { Log, TuttiServer } from '@tutti/server';

import { CliError } from './cli-error.ts';
import { stopRequested } from './stop-requested.ts';

export interface RunServerOptions {
  readonly settings: Settings;
  readonly rpc: Readonly<Record<string, RpcHandler>>;
  /** Log lines for people, on standard error. Else JSON lines, on standard output. */
  readonly prettyLog: boolean;
}

/**
 * Runs a node until SIGTERM or SIGINT, then stops it gracefully (CON-3). `started` may return what
 * is to be called before the node stops.
 */
export async function runServer(
  { settings, rpc, prettyLog }: RunServerOptions,
  started: (server: TuttiServer) => (() => void) | undefined,
): Promise<void> {
  // Signals are heard from before the start: one that comes during it stops the node as well.
  const stop = stopRequested();
  // Loaded late: the other commands start faster without a server.
  const { createServer } = await import('@tutti/server');
  let server: TuttiServer;
  try {
    server = await createServer({ settings, rpc, ...(prettyLog ? { log: await logForPeople(settings) } : {}) });
  } catch (error) {
    stop.forget();
    throw startFailure(error);
  }
  const ending = started(server);
  await stop.requested;
  ending?.();
  await server.close();
  stop.forget();
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
