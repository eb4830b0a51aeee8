import { Fleet } from '../load/fleet.ts';
import { Histogram } from '../measure/histogram.ts';
import { namespaces, startTutti, type Target } from '../targets/target.ts';
import { per, round, type Row, type Scenario } from './scenario.ts';

const options = {
  payload: { default: 100, description: 'bytes of a payload' },
  window: { default: 100, description: 'publications that wait for their answer at once, over all connections' },
  seconds: { default: 3, description: 'length of each measurement' },
  connections: { default: 50, description: 'publishing connections of the second half; the first has one' },
} as const;

type Options = { readonly [Name in keyof typeof options]: number };

const warmUpMs = 500;

export const publish: Scenario<typeof options> = {
  name: 'publish',
  shows:
    'acknowledged publications a second, into a channel without history, with it in memory, and on disk; nobody subscribes',
  options,
  async run(chosen, context) {
    const rows: Row[] = [];
    const target = await startTutti({ connections: chosen.connections, ...context });
    try {
      for (const namespace of Object.keys(namespaces)) {
        for (const connections of [1, chosen.connections]) {
          context.say(`${namespace}: ${connections} connection${connections === 1 ? '' : 's'}`);
          rows.push(await measure(target, namespace, connections, chosen));
        }
      }
    } finally {
      await target.stop();
    }
    return rows;
  },
};

async function measure(target: Target, namespace: string, connections: number, chosen: Options): Promise<Row> {
  const fleet = await Fleet.connect({ connections, target: target.load() });
  const request = { do: 'publish', channel: `${namespace}:publish`, payloadBytes: chosen.payload } as const;
  const window = Math.max(chosen.window, connections);
  try {
    await fleet.publish({ ...request, window, ms: warmUpMs });
    const cpuBefore = target.process.cpuMicroseconds();
    const [published] = await fleet.publish({ ...request, window, ms: chosen.seconds * 1000 });
    const cpu = target.process.cpuMicroseconds() - cpuBefore;
    const { accepted = 0, ms = 0 } = published ?? {};
    const latency = new Histogram();
    latency.merge(published?.latency ?? []);
    return {
      channel: namespace,
      connections,
      payload: chosen.payload,
      window,
      perSecond: Math.round(per(accepted, ms / 1000)),
      p50Ms: round(latency.quantile(0.5) / 1000, 2),
      p99Ms: round(latency.quantile(0.99) / 1000, 2),
      cpuMicrosecondsEach: round(per(cpu, accepted), 1),
    };
  } finally {
    await fleet.close();
  }
}
