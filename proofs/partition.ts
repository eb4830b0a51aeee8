import { Tutti } from '@tutti/client';
import { startFaultProxy, type FaultProxy } from '@tutti/testkit/fault-proxy';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { startStore, storeNames, type Store, type StoreName } from './engines.ts';
import { officialOnlooker, ownOnlooker, settle, type Onlooker } from './following.ts';
import type { Proof, Verdict } from './proof.ts';
import { Publishing } from './publishing.ts';
import { pause, until } from './waiting.ts';

const channel = 'chat:parted';
const room = 'room:all';
const nodesCount = 3;
const backOffMsMax = 3_000;
const publishEveryMs = 25;
/** PRE-1, and what the proof allows after healing. */
const presenceWithinMs = 15_000;

interface Member {
  readonly node: SpawnedNode;
  readonly proxy: FaultProxy;
  readonly tutti: Tutti;
}

interface Scene {
  readonly members: readonly Member[];
  readonly onlookers: readonly Onlooker[];
  readonly publishing: Publishing;
  /** Users in the room, while nothing is wrong. */
  readonly users: number;
}

/** Nodes meet in the engine alone, so who is cut from it is cut from the others, too. */
export const partition: Proof = {
  name: 'partition',
  shows:
    'each of three nodes in turn is cut from the engine, by silence and by resets, and one is stopped (SIGSTOP): nothing acknowledged is lost, one order everywhere, presence right 15 s after (DEL-1 to DEL-5, DEL-7, PRE-1, PRE-3)',
  options: {
    cutSeconds: { default: 18, description: 'that a node is cut off' },
    stopSeconds: { default: 60, description: 'that a node is stopped' },
    leaseMs: { default: 10_000, description: 'nodeLease' },
    users: { default: 60, description: 'in the room, spread over the nodes' },
  },
  choices: { engine: { default: 'redis', choices: storeNames, description: 'what is under the nodes' } },
  run: async ({ cutSeconds = 0, stopSeconds = 0, leaseMs = 0, users = 0 }, say, { engine }) => {
    const store = await startStore(engine as StoreName);
    const closers: (() => unknown)[] = [];
    const broken: string[] = [];
    try {
      const scene = await build(store, { leaseMs, users }, closers);
      if (!(await presenceRight(scene))) throw new Error('presence is not right before anything was cut');
      const presenceMs: number[] = [];
      const check = async (what: string): Promise<void> => {
        const ms = await presenceRight(scene);
        if (ms === undefined) {
          const answers = await Promise.all(scene.members.map(({ tutti }) => inRoom(tutti)));
          broken.push(`${what}: presence was not right ${presenceWithinMs} ms after: ${answers.join(', ')}`);
        } else presenceMs.push(ms);
        await scene.publishing.more(50);
        say(
          `${what}: presence right after ${String(ms)} ms, ${scene.publishing.acknowledged.length} acknowledged so far`,
        );
      };
      for (const [i, member] of scene.members.entries()) {
        for (const kind of ['silence', 'resets'] as const) {
          cut(member.proxy, kind);
          const isSeen = await aloneIn(scene, i, cutSeconds * 1_000);
          if (isSeen === undefined && cutSeconds * 1_000 >= presenceWithinMs)
            broken.push(`n${i + 1} cut by ${kind}: its users are still in the room after ${cutSeconds} s (PRE-1)`);
          member.proxy.heal();
          member.proxy.resetAll();
          await check(`n${i + 1} cut by ${kind} for ${cutSeconds} s`);
        }
      }
      await stopped(scene.members[0]!.node, stopSeconds * 1_000);
      await check(`n1 stopped for ${stopSeconds} s`);
      return await judge(scene, broken, presenceMs);
    } finally {
      for (const close of closers.reverse()) await close();
      await store.close();
    }
  },
};

async function build(
  store: Store,
  { leaseMs, users }: { leaseMs: number; users: number },
  closers: (() => unknown)[],
): Promise<Scene> {
  const members: Member[] = [];
  const ending: (() => void)[] = [];
  closers.push(() => {
    for (const end of ending) end();
  });
  for (let i = 1; i <= nodesCount; i += 1) {
    const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: store.port } });
    closers.push(() => proxy.close());
    const node = await spawnNode({
      settings: { engine: store.urlAt(proxy.port), nodeName: `n${i}`, nodeLeaseMs: leaseMs },
      namespaces: {
        chat: { historySize: 100_000, durable: true, allowPublish: 'user', allowHistory: 'user' },
        room: { presence: true, allowSubscribe: 'user', allowPresence: 'user' },
      },
    });
    closers.push(() => node.close());
    const tutti = new Tutti(node.wsUrl, { token: await node.token({ user: `asks-${i}` }) });
    ending.push(() => tutti.close());
    members.push({ node, proxy, tutti });
  }
  const onlookers: Onlooker[] = [];
  const publishing = new Publishing(channel);
  ending.push(() => publishing.end());
  for (const [i, { node, tutti }] of members.entries()) {
    onlookers.push(await officialOnlooker(node, channel, ending), await ownOnlooker(node, channel, ending));
    publishing.add(tutti, publishEveryMs * nodesCount);
    for (let user = i; user < users; user += nodesCount) {
      // Presence is what is judged, and not how long a client waits before it comes back.
      const token = await node.token({ user: `u${user}` });
      const there = new Tutti(node.wsUrl, { token, reconnectMaxMs: backOffMsMax });
      ending.push(() => there.close());
      await there.subscribe(room).ready();
    }
  }
  return { members, onlookers, publishing, users };
}

function cut(proxy: FaultProxy, kind: 'silence' | 'resets'): void {
  if (kind === 'silence') proxy.set({ blackHole: 'both' });
  else {
    proxy.set({ refuse: true });
    proxy.resetAll();
  }
}

/** The process is held for so long, and goes on as if nothing had been. */
async function stopped(node: SpawnedNode, ms: number): Promise<void> {
  process.kill(node.pid, 'SIGSTOP');
  await pause(ms);
  process.kill(node.pid, 'SIGCONT');
}

/**
 * Waits for as long as it is cut. Resolves to the milliseconds after which the others said that its users
 * are gone; undefined where they did not.
 */
async function aloneIn(scene: Scene, cutNode: number, ms: number): Promise<number | undefined> {
  const started = performance.now();
  const others = scene.members.filter((_, i) => i !== cutNode);
  const left = Array.from({ length: scene.users }, (_, user) => user).filter((user) => user % nodesCount !== cutNode);
  const areGone = await until(
    async () =>
      (await Promise.all(others.map(({ tutti }) => inRoom(tutti)))).every((seen) => seen === `${left.length}`),
    ms,
    200,
  );
  const goneMs = performance.now() - started;
  await pause(Math.max(0, ms - goneMs));
  return areGone ? Math.round(goneMs) : undefined;
}

/** Milliseconds until all nodes say that everybody is there, once. */
async function presenceRight({ members, users }: Scene): Promise<number | undefined> {
  const started = performance.now();
  const isRight = await until(
    async () => {
      const answers = await Promise.all(members.map(({ tutti }) => inRoom(tutti)));
      return answers.every((seen) => seen === `${users}`);
    },
    presenceWithinMs,
    100,
  );
  return isRight ? Math.round(performance.now() - started) : undefined;
}

/** How many; with a mark where a user is there more than once. */
async function inRoom(tutti: Tutti): Promise<string> {
  const answer = await Promise.race([tutti.presence(room).catch(() => undefined), pause(2_000)]);
  if (answer === undefined) return 'no answer';
  const users = Object.values(answer).map(({ user }) => user);
  return users.length === new Set(users).size ? `${users.length}` : `${users.length} with ghosts`;
}

async function judge(scene: Scene, broken: string[], presenceMs: readonly number[]): Promise<Verdict> {
  const { members, onlookers, publishing } = scene;
  await publishing.stop();
  const kept = await settle(members[0]!.node, channel, onlookers);
  const { acknowledged, refused } = publishing;
  const lost = acknowledged.filter(({ position, text }) => kept.get(position) !== text).length;
  if (lost > 0) broken.push(`${lost} acknowledged publications are not in the log where they were said to be (DEL-5)`);
  const [last] = [...kept.keys()].slice(-1);
  for (const { who, seen, told, holes } of onlookers) {
    const wrong = seen.filter(({ position, text }) => kept.get(position) !== text).length;
    const doubled = seen.length - new Set(seen.map(({ position }) => position)).size;
    if (wrong > 0) broken.push(`${who}: ${wrong} publications are not what the log has there (DEL-3)`);
    if (doubled > 0) broken.push(`${who}: ${doubled} came twice (DEL-1)`);
    if (holes > 0) broken.push(`${who}: ${holes} holes (DEL-2)`);
    if (told > 0) broken.push(`${who}: was told ${told} times that something is missing, and nothing is`);
    if (seen.at(-1)?.position !== last) broken.push(`${who}: has not the last publication (DEL-7)`);
  }
  for (const [i, { node }] of members.entries()) if (!node.isRunning) broken.push(`n${i + 1} has ended`);
  const figures = {
    ...{ acknowledged: acknowledged.length, refused, presenceRightMs: presenceMs },
    onlookers: onlookers.map(({ who, seen, connects }) => ({ who, seen: seen.length, connects })),
  };
  return { broken, figures };
}
