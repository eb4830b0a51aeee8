import { SeededRandom } from '@tutti/testkit/seeded-random';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { judgeOnlookers, officialClient, ownClient, settle, startPublisher, type Publisher } from './onlookers.ts';
import type { Proof } from './proof.ts';
import { pause, until } from './waiting.ts';

const channel = 'chat:conversation';
const publishEveryMs = 5;
const goOnMsMax = 30_000;

/** DEL-5 from outside: a process is killed, and two SDKs, ours and the official one, look on. */
export const conversation: Proof = {
  name: 'conversation',
  shows:
    'kill -9 at random moments: nothing acknowledged is lost, doubled or out of order at the clients (DEL-1, DEL-2, DEL-5, DEL-6)',
  options: {
    kills: { default: 20, description: 'times the server is killed and started again' },
    seed: { default: 0, description: 'of the moments; 0 takes one from the clock' },
  },
  run: async ({ kills = 0, seed = 0 }, say) => {
    const usedSeed = seed === 0 ? Date.now() % 1_000_000 : seed;
    say(`seed ${usedSeed}`);
    const node = await spawnNode({
      namespaces: { chat: { historySize: 100_000, durable: true, allowPublish: 'user' } },
    });
    const closers: (() => void)[] = [];
    try {
      const official = await officialClient(node, channel, closers);
      const own = await ownClient(node, channel, closers);
      const publisher = await startPublisher(node, channel, publishEveryMs, closers);
      await killAgainAndAgain(node, new SeededRandom(usedSeed), kills, publisher, say);
      await publisher.stop();
      await settle([official, own], publisher.acknowledged, say);
      return judgeOnlookers([official, own], publisher, { kills, seed: usedSeed });
    } finally {
      for (const close of closers) close();
      await node.close();
    }
  },
};

async function killAgainAndAgain(
  node: SpawnedNode,
  random: SeededRandom,
  kills: number,
  publisher: Publisher,
  say: (line: string) => void,
): Promise<void> {
  for (let i = 1; i <= kills; i += 1) {
    const before = publisher.acknowledged.length;
    await pause(200 + random.next() * 800);
    await node.kill();
    await pause(random.next() * 200);
    await node.restart();
    // A kill proves something only where something was going on.
    await until(() => publisher.acknowledged.length > before + 5, goOnMsMax);
    say(`kill ${i} of ${kills}: ${publisher.acknowledged.length} acknowledged so far`);
  }
}
