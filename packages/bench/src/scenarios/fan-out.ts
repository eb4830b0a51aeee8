import { Fleet } from '../load/fleet.ts';
import type { Received } from '../load/messages.ts';
import { Publisher } from '../load/publisher.ts';
import { Histogram } from '../measure/histogram.ts';
import { startBaseline, startTutti, type Target } from '../targets/target.ts';
import { per, round, type Row, type Scenario } from './scenario.ts';

const options = {
  subscribers: { default: 1_000, description: 'subscribers of the one channel' },
  rate: { default: 10, description: 'publications a second of the paced phase' },
  seconds: { default: 5, description: 'length of each phase' },
  payload: { default: 0, description: 'bytes of a payload; 0: once 100 and once 1024' },
  window: { default: 64, description: 'publications under way at once in the burst phase' },
  processes: { default: 1, description: 'load processes; more share the work of receiving' },
  baselines: { default: 1, description: '0: Tutti alone' },
} as const;

type Options = { readonly [Name in keyof typeof options]: number };

const channel = 'live:fan-out';
const warmUpPublications = 20;
const waitMsMax = 60_000;

interface Phase {
  readonly name: 'paced' | 'burst';
  /** Resolves to the publications made. */
  publish(publisher: Publisher): Promise<number>;
}

export const fanOut: Scenario<typeof options> = {
  name: 'fan-out',
  shows:
    'one publication to many subscribers: latency, processor time a delivery; beside it servers that write the same bytes',
  options,
  async run(chosen, context) {
    const rows: Row[] = [];
    for (const payload of chosen.payload > 0 ? [chosen.payload] : [100, 1024]) {
      const measured = async (target: Target, bytes: number): Promise<Row[]> => {
        try {
          context.say(`${target.name}: ${chosen.subscribers} subscribers, payload of ${payload} bytes`);
          return await measure(target, payload, bytes, chosen);
        } finally {
          await target.stop();
        }
      };
      const tutti = await startTutti({ connections: chosen.subscribers, ...context });
      const ofPayload = await measured(tutti, payload);
      // The others send a message as long as the whole of Tutti's, with channel and publisher around the payload.
      const messageBytes = Number(ofPayload[0]?.['messageBytes']);
      for (const name of chosen.baselines > 0 ? (['bare', 'ws'] as const) : []) {
        ofPayload.push(...(await measured(await startBaseline(name), messageBytes)));
      }
      rows.push(...ofPayload.map((row) => withRatio(row, ofPayload)));
    }
    return rows;
  },
};

async function measure(target: Target, payload: number, bytes: number, chosen: Options): Promise<Row[]> {
  const load = target.load(channel);
  const fleet = await Fleet.connect({ connections: chosen.subscribers, target: load, processes: chosen.processes });
  let publisher: Publisher | undefined;
  try {
    publisher = await Publisher.connect(load, bytes);
    await publisher.paced(warmUpPublications, 4 * chosen.rate);
    await fleet.expect(warmUpPublications, waitMsMax);
    const rows: Row[] = [];
    for (const phase of phases(chosen)) {
      rows.push({
        target: target.name,
        phase: phase.name,
        payload,
        ...(await measurePhase(target, phase, fleet, publisher)),
      });
    }
    return rows;
  } finally {
    publisher?.close();
    await fleet.close();
  }
}

function phases({ rate, seconds, window }: Options): Phase[] {
  const count = Math.max(1, Math.round(rate * seconds));
  return [
    { name: 'paced', publish: (publisher) => publisher.paced(count, rate).then(() => count) },
    { name: 'burst', publish: (publisher) => publisher.burst(window, seconds * 1000) },
  ];
}

async function measurePhase(target: Target, phase: Phase, fleet: Fleet, publisher: Publisher): Promise<Row> {
  await fleet.reset();
  const cpuBefore = target.process.cpuMicroseconds();
  const started = performance.now();
  const publications = await phase.publish(publisher);
  const received = await fleet.expect(publications, waitMsMax);
  const seconds = (performance.now() - started) / 1000;
  const cpu = target.process.cpuMicroseconds() - cpuBefore;
  const all = merge(received);
  const ms = (microseconds: number): number => round(microseconds / 1000, 2);
  return {
    publications,
    p50Ms: ms(all.latency.quantile(0.5)),
    p99Ms: ms(all.latency.quantile(0.99)),
    lastP50Ms: ms(all.lasts.quantile(0.5)),
    lastP99Ms: ms(all.lasts.quantile(0.99)),
    // The publisher receives too.
    cpuMicrosecondsEach: round(per(cpu, all.deliveries + publications), 2),
    deliveriesPerSecond: Math.round(all.deliveries / seconds),
    perFrame: round(per(all.deliveries, all.frames)),
    messageBytes: Math.round(per(all.bytes, all.deliveries)),
  };
}

function merge(parts: readonly Received[]): { deliveries: number; bytes: number; frames: number } & {
  latency: Histogram;
  lasts: Histogram;
} {
  const latency = new Histogram();
  const slowest = new Map<number, number>();
  const sums = { deliveries: 0, bytes: 0, frames: 0 };
  for (const part of parts) {
    latency.merge(part.latency);
    sums.deliveries += part.deliveries;
    sums.bytes += part.bytes;
    sums.frames += part.frames;
    for (const [number, microseconds] of part.lasts) {
      slowest.set(number, Math.max(microseconds, slowest.get(number) ?? 0));
    }
  }
  const lasts = new Histogram();
  for (const microseconds of slowest.values()) lasts.add(microseconds);
  return { ...sums, latency, lasts };
}

function withRatio(row: Row, others: readonly Row[]): Row {
  const bare = others.find((other) => other['target'] === 'bare' && other['phase'] === row['phase']);
  if (bare === undefined) return row;
  return {
    ...row,
    cpuRatioToBare: round(per(Number(row['cpuMicrosecondsEach']), Number(bare['cpuMicrosecondsEach'])), 2),
  };
}
