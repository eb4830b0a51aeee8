import { Fleet } from '../load/fleet.ts';
import { startBaseline, startTutti, type Target } from '../targets/target.ts';
import { per, round, type Row, type Scenario } from './scenario.ts';

const options = {
  connections: { default: 2_000, description: 'connections that are made' },
  atOnce: { default: 100, description: 'handshakes under way at once' },
  warmUp: { default: 500, description: 'connections made before, so that the code is compiled' },
  processes: { default: 1, description: 'load processes' },
  baselines: { default: 1, description: '0: Tutti alone' },
} as const;

type Options = { readonly [Name in keyof typeof options]: number };

export const connect: Scenario<typeof options> = {
  name: 'connect',
  shows: 'connections a second, up to the answer to connect and subscribe; beside it servers that only upgrade',
  options,
  async run(chosen, context) {
    const starts = [() => startTutti({ connections: chosen.connections + chosen.warmUp, ...context })];
    if (chosen.baselines > 0)
      starts.push(
        () => startBaseline('bare'),
        () => startBaseline('ws'),
      );
    const rows: Row[] = [];
    for (const start of starts) {
      const target = await start();
      try {
        context.say(`${target.name}: ${chosen.connections} connections`);
        rows.push(await measure(target, chosen));
      } finally {
        await target.stop();
      }
    }
    return rows;
  },
};

async function measure(target: Target, { connections, atOnce, warmUp, processes }: Options): Promise<Row> {
  const load = target.load('live:connect');
  const fleets: Fleet[] = [];
  const connected = async (count: number, firstIndex: number): Promise<void> => {
    fleets.push(await Fleet.connect({ connections: count, firstIndex, target: load, atOnce, processes }));
  };
  try {
    await connected(warmUp, 0);
    const cpuBefore = target.process.cpuMicroseconds();
    // With the start of the load processes; the time they tell is that of their connections.
    await connected(connections, warmUp);
    const cpu = target.process.cpuMicroseconds() - cpuBefore;
    const seconds = (fleets[1]?.connectMs ?? 0) / 1000;
    return {
      target: target.name,
      connections,
      atOnce,
      perSecond: Math.round(per(connections, seconds)),
      cpuMicrosecondsEach: round(per(cpu, connections)),
    };
  } finally {
    await Promise.all(fleets.map((fleet) => fleet.close()));
  }
}
