import { createServer, type TuttiServer } from '@tutti/server';
import { nullLog, SystemClock, SystemRandom, Namespaces, type LivePublication } from '@tutti/server/internal';
import { LossyBroker } from '@tutti/testkit/lossy-broker';
import { testFolder, testSettings, testTokens, webSocketUrl } from '@tutti/testkit/test-settings';
import { engineOf } from '../packages/server/src/wiring/engine-of.ts';
import { Crowd, isSettled, judgeCrowd } from './cluster/crowd.ts';
import { engineNames, startEngine, type EngineName } from './engines.ts';
import type { Proof } from './proof.ts';
import { pause, until } from './waiting.ts';

const nodeCount = 3;
const publisherCount = 5;
const settleMsMax = 30_000;
/** The check of positions comes within 10 s (DEL-10); what it finds is read, and delivered. */
const lastMsMax = 12_000;
const namespaces = {
  log: { durable: true, historySize: 100_000, allowPublish: 'user', allowSubscribe: 'user' },
} as const;

/** What the bus does to one live publication: true loses it. */
type Loses = (live: LivePublication) => boolean;

interface LossyNode {
  readonly server: TuttiServer;
  readonly wsUrl: string;
  readonly broker: LossyBroker;
  close(): Promise<void>;
}

export const busLoss: Proof = {
  name: 'bus-loss',
  shows:
    'the bus loses 1 %, 20 %, everything for 5 s, exactly the last message: nothing is lost at clients, the last is found (DEL-7, DEL-10)',
  options: {
    perSecond: { default: 200, description: 'publications a second, over all channels' },
    channels: { default: 20, description: 'durable channels' },
    clients: { default: 90, description: 'subscribers, each of one channel' },
    roundMs: { default: 5_000, description: 'how long each kind of loss lasts, milliseconds' },
  },
  choices: { engine: { default: 'nats', choices: engineNames, description: 'what the nodes share' } },
  run: async ({ perSecond = 0, channels = 0, clients = 0, roundMs = 0 }, say, { engine: name }) => {
    const closers: (() => void | Promise<void>)[] = [];
    try {
      const engine = await startEngine(name as EngineName);
      closers.unshift(() => engine.close());
      const nodes: LossyNode[] = [];
      for (let i = 1; i <= nodeCount; i += 1) {
        const node = await startLossyNode(engine.url, `node-${i}`);
        nodes.push(node);
        closers.unshift(() => node.close());
      }
      const tokens = testTokens(testSettings({}, ''));
      const names = Array.from({ length: channels }, (_, i) => `log:${i}`);
      const crowds = nodes.map(({ wsUrl }) => new Crowd(wsUrl, tokens));
      closers.unshift(() => crowds.forEach((crowd) => crowd.close()));
      for (let i = 0; i < clients; i += 1) await crowds[i % nodeCount]?.watch(names[i % names.length] ?? '');
      return await judge({ nodes, crowds, names, perSecond, roundMs, what: String(name) }, say);
    } finally {
      for (const close of closers) await close();
    }
  },
};

interface Scene {
  readonly nodes: readonly LossyNode[];
  readonly crowds: readonly Crowd[];
  readonly names: readonly string[];
  readonly perSecond: number;
  readonly roundMs: number;
  readonly what: string;
}

async function judge(scene: Scene, say: (line: string) => void): ReturnType<Proof['run']> {
  const { nodes, crowds, names, perSecond, roundMs, what } = scene;
  const broken: string[] = [];
  // One publishes for all: what it was told is what every crowd must have seen.
  const publishing = crowds[0]!;
  const settled = (): boolean =>
    crowds.every(({ watchers }) => isSettled({ watchers, acknowledged: publishing.acknowledged }));
  const lose = (loses: Loses): void => {
    for (const { broker } of nodes) broker.decideBy((live) => (live.epoch !== '' && loses(live) ? 'drop' : 'deliver'));
  };
  const rounds: [string, Loses][] = [
    ['1 %', () => Math.random() < 0.01],
    ['20 %', () => Math.random() < 0.2],
    ['everything', () => true],
  ];
  await publishing.publish(names, perSecond, publisherCount);
  const dropped: Record<string, number> = {};
  const droppedNow = (): number => nodes.reduce((sum, { broker }) => sum + broker.dropped, 0);
  for (const [kind, loses] of rounds) {
    const before = droppedNow();
    lose(loses);
    await pause(roundMs);
    lose(() => false);
    dropped[kind] = droppedNow() - before;
    say(`lost ${kind} for ${roundMs} ms: ${dropped[kind]} live publications`);
    if (dropped[kind] === 0) broken.push(`the bus lost nothing in the round of ${kind}: nothing was shown`);
    await pause(roundMs / 5);
  }
  await publishing.stop();
  if (!(await until(settled, settleMsMax))) broken.push(`not settled within ${settleMsMax} ms`);
  lose(() => true);
  const before = droppedNow();
  await publishing.publishOnce(names);
  lose(() => false);
  dropped['the last'] = droppedNow() - before;
  const startedMs = performance.now();
  if (!(await until(settled, settleMsMax))) broken.push(`the last messages were not found within ${settleMsMax} ms`);
  const lastMs = Math.round(performance.now() - startedMs);
  if (lastMs > lastMsMax) broken.push(`the last message was found after ${lastMs} ms`);
  say(`lost the last of each channel: all found after ${lastMs} ms`);
  const { acknowledged, unanswered, repeated, refusedForNow, refusedMsMax } = publishing;
  const watchers = crowds.flatMap((crowd) => crowd.watchers);
  const judged = judgeCrowd({ watchers, acknowledged, unanswered, repeated, refusedForNow, refusedMsMax });
  return { broken: [...broken, ...judged.broken], figures: { engine: what, dropped, lastMs, ...judged.figures } };
}

/** A node in this process, with a bus that loses what it is told to; the engine beneath it is real. */
async function startLossyNode(url: string, nodeName: string): Promise<LossyNode> {
  const folder = await testFolder();
  const clusterSecret = 'the nodes of this proof believe each other';
  const settings = testSettings({ settings: { engine: url, nodeName, clusterSecret }, namespaces }, folder.path);
  const parts = {
    settings,
    namespaces: new Namespaces(settings),
    clock: new SystemClock(),
    random: new SystemRandom(),
  };
  const real = await engineOf({ ...parts, log: nullLog, nodeName });
  const broker = new LossyBroker(real.broker);
  const server = await createServer({ settings, log: nullLog, dashboard: false, engine: { ...real, broker } });
  return {
    ...{ server, broker, wsUrl: webSocketUrl(server.url) },
    close: async () => {
      await server.close();
      await folder.remove();
    },
  };
}
