import { Tutti } from '@tutti/client';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { Centrifuge } from 'centrifuge';
import { engineNames, startEngine, type EngineName, type EngineUnderTest } from './engines.ts';
import type { Proof, Verdict } from './proof.ts';
import { pause, until } from './waiting.ts';

const channel = 'chat:broker';
const publishEveryMs = 10;
const nodesCount = 3;
/** Acknowledged by the leader alone, before it dies. */
const doomedMin = 50;
const goOnMsMax = 60_000;

interface Named {
  readonly position: string;
  readonly text: string;
}

interface Acknowledged extends Named {
  readonly atMs: number;
}

/** What one client saw. */
interface Onlooker {
  readonly who: string;
  readonly seen: Named[];
  /** Times it was told that it may have missed something. */
  told: number;
  /** Of its connection, after the first. */
  connects: number;
  /** Within an epoch, since it was last told: places where offsets did not go on by one. */
  holes: number;
}

/** DEL-3, DEL-5 and DEL-9 with the store's leader lost, from outside. */
export const killBroker: Proof = {
  name: 'kill-broker',
  shows:
    'the leader of the engine dies before others have all it acknowledged: no position names two publications, every client is told, nodes and connections stay (DEL-3, DEL-5, DEL-9)',
  options: {
    kills: { default: 2, description: 'times the leader is killed' },
    replicas: { default: 0, description: 'engineReplicas: with 1, nothing acknowledged may be lost' },
  },
  choices: { engine: { default: 'redis', choices: engineNames, description: 'what is under the nodes' } },
  run: async ({ kills = 0, replicas = 0 }, say, { engine: name }) => {
    const engine = await startEngine(name as EngineName);
    const nodes: SpawnedNode[] = [];
    const closers: (() => void)[] = [];
    try {
      for (let i = 1; i <= nodesCount; i += 1) nodes.push(await node(engine, `n${i}`, replicas));
      const onlookers = [
        await officialOnlooker(nodes[0]!, closers),
        await ownOnlooker(nodes[1]!, closers),
        await ownOnlooker(nodes[2]!, closers),
      ];
      const publishing = new Publishing();
      for (const each of nodes) await publishing.add(each, closers);
      const pids = nodes.map(({ pid }) => pid);
      const silences: number[] = [];
      for (let i = 1; i <= kills; i += 1) {
        silences.push(await killOnce(engine, publishing, replicas));
        say(
          `kill ${i} of ${kills}: ${publishing.acknowledged.length} acknowledged so far, silent for ${silences.at(-1)} ms`,
        );
      }
      await publishing.stop();
      const kept = await settle(nodes[0]!, onlookers);
      const broken = judge(onlookers, publishing, kept, { kills, replicas });
      if (nodes.some(({ pid, isRunning }, i) => !isRunning || pid !== pids[i])) broken.push('a node has ended');
      return verdict(broken, onlookers, publishing, kept, silences);
    } finally {
      for (const close of closers) close();
      await Promise.all(nodes.map((each) => each.close()));
      await engine.close();
    }
  },
};

function node(engine: EngineUnderTest, nodeName: string, engineReplicas: number): Promise<SpawnedNode> {
  return spawnNode({
    settings: { engine: engine.url, nodeName, engineReplicas },
    namespaces: { chat: { historySize: 100_000, durable: true, allowPublish: 'user', allowHistory: 'user' } },
  });
}

/** Resolves to the milliseconds in which nothing was acknowledged. */
async function killOnce(engine: EngineUnderTest, publishing: Publishing, replicas: number): Promise<number> {
  const { acknowledged } = publishing;
  await publishing.more(doomedMin);
  const before = acknowledged.length;
  const isAlone = engine.isolateLeader();
  // With replicas to wait for, what the leader alone has is not acknowledged.
  if (isAlone && replicas === 0) await until(() => acknowledged.length >= before + doomedMin, goOnMsMax);
  else await pause(1_000);
  await engine.killLeader();
  // With a replica to wait for, nothing goes on until there is one again.
  if (replicas === 0) await publishing.more(doomedMin);
  if (!(await engine.mend())) throw new Error('the killed server did not come back into step');
  await publishing.more(doomedMin);
  const times = acknowledged.slice(before).map(({ atMs }) => atMs);
  return Math.round(Math.max(...times.map((atMs, i) => atMs - (times[i - 1] ?? atMs))));
}

/** Three publishers, each on its own node; the SDK repeats what it may, with the same idempotency key. */
class Publishing {
  readonly acknowledged: Acknowledged[] = [];
  refused = 0;
  #count = 0;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #waiting = new Set<Promise<void>>();

  async add(node: SpawnedNode, closers: (() => void)[]): Promise<void> {
    const tutti = new Tutti(node.wsUrl, { token: await node.token({ user: 'carl' }), timeoutMs: 30_000 });
    const timer = setInterval(() => this.#publish(tutti), publishEveryMs);
    this.#timers.push(timer);
    closers.push(() => {
      clearInterval(timer);
      tutti.close();
    });
  }

  async more(count: number): Promise<void> {
    const goal = this.acknowledged.length + count;
    if (await until(() => this.acknowledged.length >= goal, goOnMsMax)) return;
    throw new Error(`publishing did not go on within ${goOnMsMax} ms`);
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#waiting);
  }

  #publish(tutti: Tutti): void {
    const text = `message ${(this.#count += 1)}`;
    const sent = tutti.publish(channel, { text }).then(
      ({ epoch, offset }) => {
        this.acknowledged.push({ position: `${epoch}/${offset}`, text, atMs: performance.now() });
      },
      () => {
        this.refused += 1;
      },
    );
    this.#waiting.add(sent);
    void sent.then(() => this.#waiting.delete(sent));
  }
}

/** Follows offsets within an epoch, from what a subscribe or a gap says on. */
class Following {
  readonly #onlooker: Onlooker;
  #epoch = '';
  #offset = 0;
  #subscribedAt = 0;

  constructor(onlooker: Onlooker) {
    this.#onlooker = onlooker;
  }

  /** Where the subscription stands; nothing is missing unless it is told. */
  subscribed(epoch: string, offset: number): void {
    if (this.#epoch === '') this.#offset = offset;
    this.#epoch = epoch;
    this.#subscribedAt = offset;
  }

  /** Told that something is missing before the position of the latest subscribe. */
  told(): void {
    this.#onlooker.told += 1;
    this.#offset = this.#subscribedAt;
  }

  publication(offset: number, text: string): void {
    if (offset !== this.#offset + 1) this.#onlooker.holes += 1;
    this.#offset = offset;
    this.#onlooker.seen.push({ position: `${this.#epoch}/${offset}`, text });
  }
}

function onlooker(who: string): { onlooker: Onlooker; following: Following } {
  const made: Onlooker = { who, seen: [], told: 0, connects: 0, holes: 0 };
  return { onlooker: made, following: new Following(made) };
}

async function officialOnlooker(node: SpawnedNode, closers: (() => void)[]): Promise<Onlooker> {
  const { onlooker: made, following } = onlooker('official SDK');
  const centrifuge = new Centrifuge(node.wsUrl, { token: await node.token({ user: 'ann' }) });
  const token = await node.subscriptionToken({ user: 'ann', channel });
  const subscription = centrifuge.newSubscription(channel, { token });
  subscription.on('subscribed', ({ streamPosition, wasRecovering, recovered }) => {
    following.subscribed(streamPosition?.epoch ?? '', streamPosition?.offset ?? 0);
    if (wasRecovering && !recovered) following.told();
  });
  subscription.on('publication', ({ offset, data }) => {
    following.publication(offset ?? 0, (data as { text: string }).text);
  });
  centrifuge.on('connected', () => (made.connects += 1));
  closers.push(() => centrifuge.disconnect());
  subscription.subscribe();
  centrifuge.connect();
  await subscription.ready(10_000);
  return made;
}

async function ownOnlooker(node: SpawnedNode, closers: (() => void)[]): Promise<Onlooker> {
  const { onlooker: made, following } = onlooker('our SDK');
  const tutti = new Tutti(node.wsUrl, { token: await node.token({ user: 'bob' }) });
  closers.push(() => tutti.close());
  const token = await node.subscriptionToken({ user: 'bob', channel });
  const subscription = tutti.subscribe<{ text: string }>(channel, { token });
  subscription.on('subscribed', ({ position }) => {
    following.subscribed(position?.epoch ?? '', position?.offset ?? 0);
  });
  subscription.on('gap', () => following.told());
  subscription.on('publication', ({ offset, data }) => following.publication(offset ?? 0, data.text));
  tutti.on('connected', () => (made.connects += 1));
  await subscription.ready();
  return made;
}

/** The log as it is in the end, once every onlooker has its last publication. */
async function settle(node: SpawnedNode, onlookers: readonly Onlooker[]): Promise<ReadonlyMap<string, string>> {
  const tutti = new Tutti(node.wsUrl, { token: await node.token({ user: 'dora' }) });
  try {
    const kept = new Map<string, string>();
    let since: { offset: number; epoch: string } | undefined;
    for (;;) {
      const page = await tutti.history<{ text: string }>(channel, {
        limit: 300,
        ...(since === undefined ? {} : { since }),
      });
      for (const { offset, data } of page.publications) kept.set(`${page.epoch}/${offset}`, data.text);
      const last = page.publications.at(-1)?.offset;
      if (last === undefined) break;
      since = { offset: last, epoch: page.epoch };
    }
    const [lastPosition] = [...kept.keys()].slice(-1);
    await until(() => onlookers.every(({ seen }) => seen.at(-1)?.position === lastPosition), 30_000);
    return kept;
  } finally {
    tutti.close();
  }
}

function judge(
  onlookers: readonly Onlooker[],
  { acknowledged }: Publishing,
  kept: ReadonlyMap<string, string>,
  { kills, replicas }: { kills: number; replicas: number },
): string[] {
  const broken: string[] = [];
  const texts = new Map<string, string>(kept);
  const name = ({ position, text }: Named, who: string): void => {
    if ((texts.get(position) ?? text) !== text) broken.push(`${who}: ${position} names two publications (DEL-3)`);
    texts.set(position, text);
  };
  for (const each of acknowledged) name(each, 'an acknowledgement');
  const [lastKept] = [...kept.keys()].slice(-1);
  for (const { who, seen, told, connects, holes } of onlookers) {
    for (const each of seen) name(each, who);
    if (holes > 0) broken.push(`${who}: ${holes} holes that it was not told of (DEL-2)`);
    if (told < kills) broken.push(`${who}: told ${told} times of ${kills} losses (DEL-9)`);
    if (connects > 1) broken.push(`${who}: its connection ended ${connects - 1} times`);
    if (seen.at(-1)?.position !== lastKept) broken.push(`${who}: has not the last publication (DEL-5)`);
  }
  const lost = lostOf(acknowledged, kept);
  if (replicas > 0 && lost > 0) broken.push(`${lost} acknowledged publications are lost, in spite of replicas (DEL-5)`);
  return broken;
}

function lostOf(acknowledged: readonly Acknowledged[], kept: ReadonlyMap<string, string>): number {
  const texts = new Set(kept.values());
  return acknowledged.filter(({ text }) => !texts.has(text)).length;
}

function verdict(
  broken: string[],
  onlookers: readonly Onlooker[],
  { acknowledged, refused }: Publishing,
  kept: ReadonlyMap<string, string>,
  silences: readonly number[],
): Verdict {
  const epochs = new Set(acknowledged.map(({ position }) => position.split('/')[0]));
  return {
    broken,
    figures: {
      acknowledged: acknowledged.length,
      refused,
      lostByTheStore: lostOf(acknowledged, kept),
      epochs: epochs.size,
      silentMs: silences,
      onlookers: onlookers.map(({ who, seen, told }) => ({ who, seen: seen.length, told })),
    },
  };
}
