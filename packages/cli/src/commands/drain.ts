import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';

import { CliError, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { anyConfig } from '../local-config.ts';
import type { Output } from '../output.ts';
import { isAlive, PidFile, type RunningNode } from '../pid-file.ts';
import { addSettingsFlags } from '../settings-flags.ts';

/** The node may need so long beyond its drain time: last answers, closing handshakes, the last commit. */
const besidesMs = 30_000;
const lookMs = 200;
const showMs = 1_000;

export function drainCommand(command: Command, context: Context): void {
  const drain = command
    .command('drain')
    .description('stop the node of this data folder: send its clients away over the drain time, and wait for its end')
    .option('--wait <seconds>', 'how long to wait at most (default: the drain time and 30 s)');
  addSettingsFlags(drain, ['dataDir', 'drainTime']).action(async (flags: Record<string, unknown>) => {
    const output = context.output();
    const waitMs = waitOf(flags['wait']);
    // Mode `dev` asks for least: a node of either kind may run here.
    const { settings } = await anyConfig('dev', flags, context);
    const file = new PidFile(settings.dataDir);
    const node = nodeOf(file);
    signal(node);
    output.note(`asked process ${node.pid} (${node.url}) to stop`);
    await ended(node, waitMs ?? settings.drainTimeMs + besidesMs, output);
    if (file.read()?.pid === node.pid) {
      throw new CliError(`process ${node.pid} ended, but not as planned`, { remedies: ['Its log says why.'] });
    }
    output.result({ type: 'drained', pid: node.pid }, `the node has stopped; all went as planned`);
  });
}

function waitOf(seconds: unknown): number | undefined {
  if (seconds === undefined) return undefined;
  if (typeof seconds !== 'string' || !/^\d{1,6}$/.test(seconds)) throw usageError('--wait must be a number of seconds');
  return Number(seconds) * 1_000;
}

function nodeOf(file: PidFile): RunningNode {
  const node = file.read();
  if (node !== undefined && isAlive(node)) return node;
  const message =
    node === undefined
      ? `no node runs in this data folder: there is no ${file.path}`
      : `process ${node.pid} of ${file.path} does not run any more`;
  throw new CliError(message, { remedies: ['Choose the folder of the node with --data-dir or TUTTI_DATA_DIR.'] });
}

function signal({ pid }: RunningNode): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    throw new CliError(`process ${pid} cannot be told to stop: ${error instanceof Error ? error.message : ''}`, {
      remedies: ['Run this as the user of the node.'],
      cause: error,
    });
  }
}

async function ended(node: RunningNode, waitMs: number, output: Output): Promise<void> {
  const startedMs = performance.now();
  let shownMs = -Infinity;
  while (isAlive(node)) {
    const passedMs = performance.now() - startedMs;
    if (passedMs > waitMs) {
      throw new CliError(`process ${node.pid} still runs after ${Math.round(waitMs / 1_000)} s`, {
        remedies: ['Wait longer with --wait, or send it SIGTERM again: it then ends at once.'],
      });
    }
    if (passedMs - shownMs >= showMs) {
      shownMs = passedMs;
      const left = await connectionsLeft(node.metricsUrl);
      if (left !== undefined) output.note(`${left} connections left`);
    }
    await sleep(lookMs);
  }
}

/** Undefined where the node does not say: it may be about to end. */
async function connectionsLeft(metricsUrl: string): Promise<number | undefined> {
  try {
    const response = await fetch(metricsUrl, { signal: AbortSignal.timeout(showMs) });
    const [, left] = /^tutti_drain_connections_left (\d+)$/m.exec(await response.text()) ?? [];
    return left === undefined ? undefined : Number(left);
  } catch {
    return undefined;
  }
}
