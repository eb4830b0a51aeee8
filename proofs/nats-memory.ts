import { NatsBroker, NatsLink } from '@tutti/server/nats';
import { nullLog, SystemClock, SystemRandom, type PublishOptions } from '@tutti/server/internal';
import { startNatsCluster, type NatsServer } from '@tutti/testkit/nats-cluster';
import { requireService } from '@tutti/testkit/services';
import type { Proof } from './proof.ts';

const channels = 1_000;
/** Kept of each channel: few, so that what grows is not the log. */
const size = 5;
const ttlMs = 3_600_000;
/** An id with all that NATS keeps about it is larger than this many bytes, whatever else moves meanwhile. */
const idBytesMin = 100;

/** What an append leaves in the memory of NATS beyond what the log keeps. */
export const natsMemory: Proof = {
  name: 'nats-memory',
  shows: 'an append without an idempotency key leaves nothing in the memory of NATS; with a key, its id for the window',
  options: { records: { default: 200_000, description: 'appends of each kind' } },
  run: async ({ records = 0 }, say) => {
    const service = await requireService('nats-server');
    if ('skip' in service) throw new Error(service.skip);
    // Go gives garbage back late; the less it lets pile up, the less hides what stays.
    process.env['GOGC'] ??= '20';
    const cluster = await startNatsCluster({ program: service.path });
    const [clock, random] = [new SystemClock(), new SystemRandom()];
    const link = new NatsLink({ servers: [cluster.url], name: 'nats-memory', clock, random, log: nullLog });
    const namespaces = [{ namespace: 'log', size, ttlMs, durable: false }];
    const broker = new NatsBroker({ link, clock, random, namespaces, namespaceOf: () => 'log' });
    try {
      await broker.start({ publication: () => {} });
      const server = cluster.servers[0]!;
      // Channels, buffers and the log itself are there before anything is compared.
      await append(broker, records, () => undefined);
      const bytes: number[] = [await steady(server)];
      for (const keyOf of [() => undefined, () => random.id()]) {
        await append(broker, records, keyOf);
        bytes.push(await steady(server));
        say(
          `${records} appends ${keyOf() === undefined ? 'without' : 'with'} a key: ${perRecord(bytes, records)} bytes each stay`,
        );
      }
      const keyed = perRecord(bytes, records);
      const plain = perRecord(bytes.slice(0, 2), records);
      const broken: string[] = [];
      if (plain > idBytesMin) broken.push(`an append without a key left ${plain} bytes`);
      if (keyed < idBytesMin) broken.push(`an append with a key left ${keyed} bytes: nothing was shown`);
      return { broken, figures: { records, plainBytesEach: plain, keyedBytesEach: keyed } };
    } finally {
      await broker.close();
      await cluster.close();
    }
  },
};

/** One record each: what is published to a channel while another is under way would share one. */
async function append(broker: NatsBroker, records: number, keyOf: () => string | undefined): Promise<void> {
  const each = async (channel: string): Promise<void> => {
    for (let i = 0; i < records / channels; i += 1) {
      const idempotencyKey = keyOf();
      const options: PublishOptions = { history: { size, ttlMs } };
      const keyed = idempotencyKey === undefined ? options : { ...options, idempotencyKey };
      await broker.publish(channel, { data: Buffer.from('{"n":1}') }, keyed);
    }
  };
  await Promise.all(Array.from({ length: channels }, (_, i) => each(`log:${i}`)));
}

/** The least of some seconds. */
async function steady(server: NatsServer): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 5; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    least = Math.min(least, await server.memoryBytes());
  }
  return least;
}

function perRecord(bytes: readonly number[], records: number): number {
  const [before = 0, after = 0] = bytes.slice(-2);
  return Math.round((after - before) / records);
}
