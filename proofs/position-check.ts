import { nullLog, SystemClock, SystemRandom, Namespaces, topsOf, type Broker } from '@tutti/server/internal';
import { startFaultProxy } from '@tutti/testkit';
import { testFolder, testSettings } from '@tutti/testkit/test-settings';
import { engineOf } from '../packages/server/src/wiring/engine-of.ts';
import { startStore, storeNames, type StoreName } from './engines.ts';
import type { Proof } from './proof.ts';

/** As the node asks. */
const batchMax = 500;
/** Without a way to read many. */
const readsAtOnce = 32;
/** So long is the way, that what is counted in the end are round trips, and not the work of this machine. */
const latencyMs = 10;

/** What it costs a node to compare its channels with the log. */
export const positionCheck: Proof = {
  name: 'position-check',
  shows: 'the positions of thousands of channels are compared in a few round trips (DEL-10)',
  options: { channels: { default: 5_000, description: 'channels of one node' } },
  choices: { engine: { default: 'nats', choices: storeNames, description: 'what has the log' } },
  run: async ({ channels = 0 }, say, { engine: name }) => {
    const store = await startStore(name as StoreName);
    const proxy = await startFaultProxy({ target: { port: store.port } });
    const folder = await testFolder();
    const namespaces = { log: { historySize: 10 } };
    const settings = testSettings({ settings: { engine: store.urlAt(proxy.port) }, namespaces }, folder.path);
    const parts = {
      settings,
      namespaces: new Namespaces(settings),
      clock: new SystemClock(),
      random: new SystemRandom(),
    };
    const { broker } = await engineOf({ ...parts, log: nullLog, nodeName: 'proof' });
    try {
      await broker.start({ publication: () => {} });
      const names = Array.from({ length: channels }, (_, i) => `log:${i}`);
      const publish = (channel: string): Promise<unknown> =>
        broker.publish(channel, { data: Buffer.from('{}') }, { history: { size: 10, ttlMs: 3_600_000 } });
      for (let i = 0; i < names.length; i += batchMax) await Promise.all(names.slice(i, i + batchMax).map(publish));
      proxy.set({ latencyMs });
      const one = await roundTrips(names, readsAtOnce, (some) => historiesOf(broker, some));
      say(`one read a channel, ${readsAtOnce} at once: ${one} round trips`);
      const many = await roundTrips(names, batchMax, async (some) => (await topsOf(broker, some)).size);
      say(`tops of ${batchMax} channels at once: ${many} round trips`);
      const broken = many * 3 < one ? [] : [`${many} round trips in place of ${one}`];
      return { broken, figures: { engine: String(name), channels, before: one, after: many } };
    } finally {
      proxy.set({});
      await broker.close();
      await proxy.close();
      await store.close();
      await folder.remove();
    }
  },
};

async function historiesOf(broker: Broker, names: readonly string[]): Promise<number> {
  return (await Promise.all(names.map((name) => broker.history(name, { limit: 0 })))).length;
}

/** One batch after the other; the time they take, in round trips. */
async function roundTrips(
  names: readonly string[],
  atOnce: number,
  read: (names: readonly string[]) => Promise<number>,
): Promise<number> {
  const startedMs = performance.now();
  for (let i = 0; i < names.length; i += atOnce) {
    const some = names.slice(i, i + atOnce);
    if ((await read(some)) !== some.length) throw new Error('a position could not be read');
  }
  return Math.round((performance.now() - startedMs) / (latencyMs * 2));
}
