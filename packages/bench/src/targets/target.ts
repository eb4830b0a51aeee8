import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { LoadTarget } from '../load/messages.ts';
import { MeasuredProcess } from './measured-process.ts';

export type TargetName = 'tutti' | 'bare' | 'ws';

/** A running server to be measured. */
export interface Target {
  readonly name: TargetName;
  readonly process: MeasuredProcess;
  /** Where clients go; Tutti's subscribe to `channel`, where one is given. */
  load(channel?: string): LoadTarget;
  stop(): Promise<void>;
}

export interface TuttiOptions {
  /** For up to so many connections at once. */
  readonly connections: number;
  /** Folder for a CPU profile of the node, written when it stops. */
  readonly profileDir?: string;
}

/** Channels `live:…`, `memory:…` and `durable:…` exist, open to every user. */
export const namespaces = {
  live: { allowSubscribe: 'user', allowPublish: 'user' },
  memory: { allowSubscribe: 'user', allowPublish: 'user', historySize: 100 },
  durable: { allowSubscribe: 'user', allowPublish: 'user', historySize: 100, durable: true },
} as const;

const command = fileURLToPath(new URL('../../../cli/src/main.ts', import.meta.url));
const bare = fileURLToPath(new URL('./bare-server.ts', import.meta.url));
const ws = fileURLToPath(new URL('./ws-server.ts', import.meta.url));

/** `tutti serve` as a user runs it; only the bounds that refuse so many clients of one machine are raised. */
export async function startTutti({ connections, profileDir }: TuttiOptions): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), 'tutti-bench-'));
  const secret = randomBytes(32).toString('hex');
  const roomFor = connections + 1_000;
  const config = {
    port: 0,
    logLevel: 'warn',
    tokenHmacSecret: secret,
    connectionsMax: roomFor,
    connectionsPerAddressMax: roomFor,
    // What is measured is what the node can do, not what it allows one client.
    commandRateMax: 0,
    namespaces,
  };
  const profile = profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDir];
  const removed = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await writeFile(join(folder, 'tutti.config.json'), JSON.stringify(config));
    const measured = await MeasuredProcess.start([...profile, command, 'serve', '--json'], folder);
    return {
      name: 'tutti',
      process: measured,
      load: (channel) => ({
        ...addressOf(measured.url, '/connection/websocket'),
        tutti: { secret, ...(channel === undefined ? {} : { channel }) },
      }),
      stop: async () => {
        await measured.stop();
        await removed();
      },
    };
  } catch (error) {
    await removed();
    throw error;
  }
}

/** A server to compare with. */
export async function startBaseline(name: Exclude<TargetName, 'tutti'>): Promise<Target> {
  const measured = await MeasuredProcess.start([name === 'bare' ? bare : ws]);
  return { name, process: measured, load: () => addressOf(measured.url, '/'), stop: () => measured.stop() };
}

function addressOf({ hostname, port }: URL, path: string): LoadTarget {
  return { host: hostname, port: Number(port), path };
}
