import { setTimeout as sleep } from 'node:timers/promises';
import { Fleet } from '../load/fleet.ts';
import { Publisher } from '../load/publisher.ts';
import { startBaseline, startTutti, type Target } from '../targets/target.ts';
import { per, round, type Row, type Scenario } from './scenario.ts';

const options = {
  connections: { default: 5_000, description: 'connections, each with one subscription' },
  quiet: { default: 2_000, description: 'milliseconds of silence before each look at the memory' },
  traffic: { default: 20, description: 'publications to all, before the last look' },
  baselines: { default: 1, description: '0: Tutti alone' },
} as const;

type Options = { readonly [Name in keyof typeof options]: number };

const trafficPerSecond = 5;
const trafficBytes = 100;
const waitMsMax = 60_000;

interface Memory {
  readonly resident: number;
  readonly residentCollected: number;
  readonly heap: number;
}

export const idle: Scenario<typeof options> = {
  name: 'idle',
  shows: 'memory of an idle connection: authenticated, with one subscription; beside it plain upgraded sockets',
  options,
  async run(chosen, context) {
    const { connections } = chosen;
    const starts = [() => startTutti({ connections, ...context })];
    if (chosen.baselines > 0)
      starts.push(
        () => startBaseline('bare'),
        () => startBaseline('ws'),
      );
    const rows: Row[] = [];
    for (const start of starts) {
      const target = await start();
      try {
        context.say(`${target.name}: ${connections} connections`);
        rows.push(await measure(target, chosen));
      } finally {
        await target.stop();
      }
    }
    const bare = rows.find((row) => row['target'] === 'bare');
    if (bare === undefined) return rows;
    return rows.map((row) => ({ ...row, ratioToBare: round(per(resident(row), resident(bare)), 2) }));
  },
};

const resident = (row: Row): number => Number(row['kbCollected']);

async function measure(target: Target, { connections, quiet, traffic }: Options): Promise<Row> {
  const half = Math.floor(connections / 2);
  const fleets: Fleet[] = [];
  let publisher: Publisher | undefined;
  const connect = async (count: number, firstIndex: number): Promise<Memory> => {
    fleets.push(await Fleet.connect({ connections: count, firstIndex, target: target.load('live:idle') }));
    return look(target, quiet);
  };
  try {
    const before = await look(target, quiet);
    const atHalf = await connect(half, 0);
    const after = await connect(connections - half, half);
    publisher = await Publisher.connect(target.load('live:idle'), trafficBytes);
    await publisher.paced(traffic, trafficPerSecond);
    for (const fleet of fleets) await fleet.expect(traffic, waitMsMax);
    const afterTraffic = await look(target, quiet);
    const kb = (bytes: number, count = connections): number => round(per(bytes, count) / 1024);
    return {
      target: target.name,
      connections,
      kb: kb(after.resident - before.resident),
      kbCollected: kb(after.residentCollected - before.residentCollected),
      kbSecondHalf: kb(after.residentCollected - atHalf.residentCollected, connections - half),
      heapKb: kb(after.heap - before.heap),
      kbAfterTraffic: kb(afterTraffic.residentCollected - before.residentCollected),
      processMb: round(after.residentCollected / 1024 / 1024),
    };
  } finally {
    publisher?.close();
    await Promise.all(fleets.map((fleet) => fleet.close()));
  }
}

/** Before and after a full garbage collection. */
async function look(target: Target, quietMs: number): Promise<Memory> {
  await sleep(quietMs);
  const resident = target.process.residentBytes();
  const { heapUsed, external } = await target.process.collectedMemory();
  await sleep(quietMs / 4);
  return { resident, residentCollected: target.process.residentBytes(), heap: heapUsed + external };
}
