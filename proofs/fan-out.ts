import { engineServerNames, startEngineServer, type EngineServerName } from '@tutti/testkit/engine-server';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { readMetrics } from './metrics.ts';
import { PacedPublisher } from './paced-publisher.ts';
import { cpuMs } from './process-cpu.ts';
import type { Proof } from './proof.ts';
import { RawPeer, type JsonPush } from './raw-peer.ts';
import { pause, until } from './waiting.ts';

/** One whose publications go into a log, and one whose go by it. */
const channels = ['log:x', 'live:x'] as const;
const names = ['a', 'b', 'c'] as const;
const payloadBytes = 200;
/** Of each channel: after a pause of this machine none of them has more to say at once than a node lets wait. */
const publishersEach = 10;
const arriveMsMax = 30_000;
/** Processor time that a node may use more than in the quiet: of what the node with the subscribers used more. */
const costShareMax = 0.1;
/** The kernel counts in steps of 10 ms, and the engine of JavaScript cleans up when it likes. */
const costNoiseMs = 100;

/** What each node did in one part of the proof, by its name. */
interface Cost {
  /** Live publications that the broker handed to it. */
  readonly received: readonly number[];
  readonly cpuMs: readonly number[];
}

/** A subscriber of all channels, that counts. */
interface Reader {
  count: number;
  /** Anything but publications that it was told. */
  told: string;
  readonly peer: RawPeer;
}

class Scene {
  readonly nodes: SpawnedNode[] = [];
  readonly peers: RawPeer[] = [];

  async subscribe(node: SpawnedNode): Promise<Reader> {
    const token = await node.token({ user: 'ann' });
    const onPush = (push: JsonPush): void => {
      if (push.pub === undefined) reader.told = JSON.stringify(push);
      else reader.count += 1;
    };
    const reader: Reader = { count: 0, told: '', peer: await RawPeer.open({ port: node.port, token, onPush }) };
    this.peers.push(reader.peer);
    for (const channel of channels) await reader.peer.command({ subscribe: { channel } });
    return reader;
  }

  /** On the node with the subscribers: whatever the others do is for its publications alone. */
  async publishers(node: SpawnedNode, perSecond: number): Promise<PacedPublisher[]> {
    const made: PacedPublisher[] = [];
    const each = perSecond / channels.length / publishersEach;
    const token = await node.token({ user: 'bob' });
    for (const channel of channels.flatMap((name) => Array<string>(publishersEach).fill(name))) {
      const peer = await RawPeer.open({ port: node.port, token });
      this.peers.push(peer);
      made.push(new PacedPublisher(peer, { channel, perSecond: each, payloadBytes }));
    }
    return made;
  }

  async costOf(work: () => Promise<unknown>): Promise<Cost> {
    const before = await this.#sample();
    await work();
    const after = await this.#sample();
    return {
      received: after.received.map((count, i) => count - (before.received[i] ?? 0)),
      cpuMs: after.cpuMs.map((ms, i) => ms - (before.cpuMs[i] ?? 0)),
    };
  }

  async close(): Promise<void> {
    for (const peer of this.peers) peer.close();
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  async #sample(): Promise<Cost> {
    const pages = await Promise.all(this.nodes.map(({ url }) => readMetrics(url)));
    return {
      received: pages.map((page) => page.sum('tutti_publications_received_total')),
      cpuMs: this.nodes.map(({ pid }) => cpuMs(pid)),
    };
  }
}

export const fanOut: Proof = {
  name: 'fan-out',
  shows:
    'a channel with subscribers on one node of three costs the other two nothing: no publication, no processor time',
  options: {
    publications: { default: 10_000, description: 'publications, half of them into a log' },
    perSecond: { default: 2_000, description: 'publications a second' },
    readers: { default: 10, description: 'subscribers of each channel, all on one node' },
  },
  choices: { engine: { default: 'redis', choices: engineServerNames, description: 'what is under the nodes' } },
  run: async ({ publications = 0, perSecond = 1, readers = 0 }, say, { engine: name }) => {
    const engine = await startEngineServer(name as EngineServerName);
    const scene = new Scene();
    try {
      for (const nodeName of names) scene.nodes.push(await startNode(engine.url, nodeName));
      const ms = (publications * 1_000) / Math.max(1, perSecond);
      return await run(scene, { ms, perSecond, readers }, say);
    } finally {
      await scene.close();
      await engine.close();
    }
  },
};

function startNode(engine: string, nodeName: string): Promise<SpawnedNode> {
  return spawnNode({
    settings: {
      ...{ engine, nodeName, clusterSecret: 'a secret that the nodes of this proof know' },
      // One process plays all clients: on a busy machine it may be late with all pongs at once.
      ...{ commandRateMax: 0, loopLagMaxMs: 0, pingIntervalMs: 60_000, pongTimeoutMs: 50_000 },
    },
    namespaces: { log: { historySize: 100_000, allowPublish: 'user' }, live: { allowPublish: 'user' } },
  });
}

interface Load {
  readonly ms: number;
  readonly perSecond: number;
  readonly readers: number;
}

async function run(
  scene: Scene,
  { ms, perSecond, readers: count }: Load,
  say: (line: string) => void,
): ReturnType<Proof['run']> {
  const broken: string[] = [];
  const [first, second] = scene.nodes;
  if (first === undefined || second === undefined) throw new Error('there are no nodes');
  const readers: Reader[] = [];
  for (let i = 0; i < count; i += 1) readers.push(await scene.subscribe(first));
  const publishers = await scene.publishers(first, perSecond);
  const publish = async (): Promise<number> => {
    const before = sum(publishers.map(({ last }) => last));
    for (const reader of readers) reader.count = 0;
    await Promise.all(publishers.map((publisher) => publisher.run(ms)));
    const published = sum(publishers.map(({ last }) => last)) - before;
    const all = (): boolean => readers.every((reader) => reader.count >= published);
    if (!(await until(all, arriveMsMax))) broken.push(`${published} were published: ${missing(readers, published)}`);
    return published;
  };
  const received = (what: string, cost: Cost, expected: readonly number[]): void => {
    say(`${what}: received ${cost.received.join(', ')}; processor time ${cost.cpuMs.join(', ')} ms`);
    names.forEach((name, i) => {
      const [is, should] = [cost.received[i], expected[i]];
      if (is !== should) broken.push(`${what}: node ${name} was handed ${is} publications, and not ${should}`);
    });
  };
  // Code is made fast, and connections are made, before anything is compared.
  await publish();
  const quiet = await scene.costOf(() => pause(ms));
  received('quiet', quiet, [0, 0, 0]);
  let published = 0;
  const busy = await scene.costOf(async () => {
    published = await publish();
  });
  received(`${published} published, subscribers on a`, busy, [published, 0, 0]);
  const more = busy.cpuMs.map((used, i) => Math.max(0, used - (quiet.cpuMs[i] ?? 0)));
  const allowedMs = costNoiseMs + costShareMax * (more[0] ?? 0);
  for (const i of [1, 2]) {
    if ((more[i] ?? 0) > allowedMs)
      broken.push(`node ${names[i]} used ${more[i]} ms more than in the quiet; node a used ${more[0]} ms more`);
  }
  // The same count sees a node that does take part: what is 0 above is not 0 because nobody counts.
  readers.push(await scene.subscribe(second));
  const joined = await scene.costOf(publish);
  received(`${published} published, subscribers on a and b`, joined, [published, published, 0]);
  return { broken, figures: { published, nodes: names, quiet, busy, joined } };
}

function missing(readers: readonly Reader[], published: number): string {
  const behind = readers.filter(({ count }) => count < published);
  const [first] = behind;
  return `${behind.length} readers have not all, such as ${first?.count} (${first?.peer.ended ?? 'connected'}, told ${first?.told ?? ''})`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
