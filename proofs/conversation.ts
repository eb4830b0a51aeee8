import { Tutti, type PublishResult } from '@tutti/client';
import { SeededRandom } from '@tutti/testkit/seeded-random';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { Centrifuge, type PublicationContext } from 'centrifuge';
import type { Proof } from './proof.ts';

const channel = 'chat:conversation';
const publishEveryMs = 5;
const settleMsMax = 30_000;

/** What one client saw, in the order in which it saw it. */
interface Seen {
  readonly who: string;
  readonly positions: { offset: number; text: string }[];
  /** Times it was told that something is missing. */
  gaps: number;
}

/** A publication that was acknowledged. */
interface Acknowledged {
  readonly text: string;
  readonly offset: number;
  readonly epoch: string;
}

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
      const official = await officialClient(node, closers);
      const own = await ownClient(node, closers);
      const publisher = await startPublisher(node, closers);
      await killAgainAndAgain(node, new SeededRandom(usedSeed), kills, publisher, say);
      await publisher.stop();
      await settle([official, own], publisher.acknowledged, say);
      return judge([official, own], publisher, { kills, seed: usedSeed });
    } finally {
      for (const close of closers) close();
      await node.close();
    }
  },
};

async function officialClient(node: SpawnedNode, closers: (() => void)[]): Promise<Seen> {
  const seen: Seen = { who: 'official SDK', positions: [], gaps: 0 };
  const centrifuge = new Centrifuge(node.wsUrl, {
    token: await node.token({ user: 'ann' }),
    minReconnectDelay: 50,
    maxReconnectDelay: 500,
  });
  const subscription = centrifuge.newSubscription(channel, {
    token: await node.subscriptionToken({ user: 'ann', channel }),
  });
  subscription.on('publication', (publication: PublicationContext) => {
    seen.positions.push({ offset: publication.offset ?? 0, text: (publication.data as { text: string }).text });
  });
  subscription.on('subscribed', (context) => {
    if (context.wasRecovering && !context.recovered) seen.gaps += 1;
  });
  closers.push(() => {
    centrifuge.disconnect();
  });
  subscription.subscribe();
  centrifuge.connect();
  await subscription.ready(10_000);
  return seen;
}

async function ownClient(node: SpawnedNode, closers: (() => void)[]): Promise<Seen> {
  const seen: Seen = { who: 'our SDK', positions: [], gaps: 0 };
  const tutti = new Tutti(node.wsUrl, {
    token: await node.token({ user: 'bob' }),
    reconnectMinMs: 50,
    reconnectMaxMs: 500,
  });
  closers.push(() => {
    tutti.close();
  });
  const token = await node.subscriptionToken({ user: 'bob', channel });
  const subscription = tutti.subscribe<{ text: string }>(channel, { token });
  subscription.on('publication', (publication) => {
    seen.positions.push({ offset: publication.offset ?? 0, text: publication.data.text });
  });
  subscription.on('gap', () => {
    seen.gaps += 1;
  });
  await subscription.ready();
  return seen;
}

interface Publisher {
  readonly acknowledged: Acknowledged[];
  readonly unknown: string[];
  readonly duplicates: () => number;
  stop(): Promise<void>;
}

/** Publishes all the time; the SDK repeats what a kill left unanswered, with the same idempotency key. */
async function startPublisher(node: SpawnedNode, closers: (() => void)[]): Promise<Publisher> {
  const tutti = new Tutti(node.wsUrl, {
    token: await node.token({ user: 'carl' }),
    reconnectMinMs: 50,
    reconnectMaxMs: 500,
    timeoutMs: 30_000,
  });
  closers.push(() => {
    tutti.close();
  });
  const acknowledged: Acknowledged[] = [];
  const unknown: string[] = [];
  let duplicates = 0;
  const waiting = new Set<Promise<void>>();
  let count = 0;
  const publish = (): void => {
    count += 1;
    const text = `message ${count}`;
    const sent = tutti.publish(channel, { text }).then(
      (result: PublishResult) => {
        if (result.duplicate === true) duplicates += 1;
        acknowledged.push({ text, offset: result.offset ?? 0, epoch: result.epoch ?? '' });
      },
      () => {
        unknown.push(text);
      },
    );
    waiting.add(sent);
    void sent.then(() => waiting.delete(sent));
  };
  const timer = setInterval(publish, publishEveryMs);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await Promise.all(waiting);
  };
  closers.push(() => {
    clearInterval(timer);
  });
  return { acknowledged, unknown, duplicates: () => duplicates, stop };
}

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
    await until(() => publisher.acknowledged.length > before + 5, settleMsMax);
    say(`kill ${i} of ${kills}: ${publisher.acknowledged.length} acknowledged so far`);
  }
}

async function settle(
  clients: readonly Seen[],
  acknowledged: readonly Acknowledged[],
  say: (line: string) => void,
): Promise<void> {
  const last = Math.max(...acknowledged.map((publication) => publication.offset));
  const all = (): boolean => clients.every((client) => (client.positions.at(-1)?.offset ?? 0) >= last);
  if (!(await until(all, settleMsMax))) say(`not every client reached offset ${last} within ${settleMsMax} ms`);
}

function judge(
  clients: readonly Seen[],
  publisher: Publisher,
  settings: { kills: number; seed: number },
): Awaited<ReturnType<Proof['run']>> {
  const broken: string[] = [];
  const { acknowledged, unknown } = publisher;
  const byOffset = new Map(acknowledged.map((publication) => [publication.offset, publication.text]));
  if (byOffset.size !== acknowledged.length) broken.push('two acknowledged publications have the same offset (DEL-3)');
  const epochs = new Set(acknowledged.map((publication) => publication.epoch));
  if (epochs.size !== 1) broken.push(`the epoch changed: ${epochs.size} epochs (DEL-3)`);
  if (unknown.length > 0) broken.push(`${unknown.length} publishes were never answered`);
  const perClient = clients.map((client) => judgeClient(client, byOffset, broken));
  return {
    broken,
    figures: {
      ...settings,
      acknowledged: acknowledged.length,
      repeatedByTheSdk: publisher.duplicates(),
      clients: Object.fromEntries(clients.map((client, i) => [client.who, perClient[i]])),
    },
  };
}

function judgeClient(client: Seen, byOffset: ReadonlyMap<number, string>, broken: string[]): Record<string, number> {
  const texts = new Set(client.positions.map((position) => position.text));
  const offsets = client.positions.map((position) => position.offset);
  const lost = [...byOffset.values()].filter((text) => !texts.has(text)).length;
  const duplicates = client.positions.length - texts.size;
  const outOfOrder = offsets.filter((offset, i) => i > 0 && offset <= (offsets[i - 1] ?? 0)).length;
  const holes = offsets.filter((offset, i) => i > 0 && offset > (offsets[i - 1] ?? 0) + 1).length;
  const contradictions = client.positions.filter(({ offset, text }) => (byOffset.get(offset) ?? text) !== text).length;
  const figures = {
    seen: client.positions.length,
    lost,
    duplicates,
    outOfOrder,
    holes,
    contradictions,
    gaps: client.gaps,
  };
  for (const [what, count] of Object.entries(figures)) {
    if (what !== 'seen' && count > 0) broken.push(`${client.who}: ${count} ${what}`);
  }
  return figures;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(condition: () => boolean, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await pause(20);
  }
  return true;
}
