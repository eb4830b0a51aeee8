import { RawConnection, type RawHandler } from '@tutti/bench/load/raw-connection';
import { connectionToken } from '@tutti/bench/load/token';
import { Tutti } from '@tutti/client';
import { startFaultProxy } from '@tutti/testkit/fault-proxy';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { testTokenSecret } from '@tutti/testkit/test-settings';
import { readMetrics } from './metrics.ts';
import type { Proof } from './proof.ts';
import { pause, until } from './waiting.ts';

const room = 'room:everybody';
const busy = 'live:busy';
const publishEveryMs = 50;
/** The wheel that wakes heartbeats turns in steps of 250 ms. */
const tickMs = 250;
/** For a busy machine: nothing of it is the node's promise. */
const noiseMs = 750;
const readyMsMax = 20_000;
const pong = '{}';

/** A peer that answers the node's pings, as long as they reach it. */
class Peer implements RawHandler {
  readonly user: string;
  isReady = false;
  /** Why its connection ended. */
  ended: string | undefined;
  pings = 0;
  publications = 0;
  readonly #channels: readonly string[];
  readonly #connection: RawConnection;

  constructor(user: string, index: number, port: number, channels: readonly string[]) {
    this.user = user;
    this.#channels = channels;
    this.#connection = new RawConnection(index, { host: '127.0.0.1', port, path: '/connection/websocket' }, this);
  }

  opened(connection: RawConnection): void {
    const connect = { id: 1, connect: { token: connectionToken(this.user, testTokenSecret) } };
    const subscribes = this.#channels.map((channel, i) => ({ id: 2 + i, subscribe: { channel } }));
    connection.send([connect, ...subscribes].map((command) => JSON.stringify(command)).join('\n'));
  }

  received(connection: RawConnection, payload: Buffer): void {
    const text = payload.toString();
    if (text === pong) {
      this.pings += 1;
      connection.send(pong);
      return;
    }
    if (text.includes(`"id":${1 + this.#channels.length}`)) this.isReady = true;
    if (text.includes(`"channel":"${busy}"`)) this.publications += 1;
  }

  closed(_connection: RawConnection, why: string): void {
    this.ended = why;
  }

  destroy(): void {
    this.#connection.destroy();
  }
}

interface Scene {
  readonly node: SpawnedNode;
  readonly zombies: readonly Peer[];
  readonly others: readonly Peer[];
  /** When each user was seen to leave the room. */
  readonly left: ReadonlyMap<string, number>;
  readonly observer: Tutti;
}

export const zombie: Proof = {
  name: 'zombie',
  shows:
    'peers in a black hole are gone within ping interval and pong time-out, with their presence; others stay (CON-1)',
  options: {
    peers: { default: 40, description: 'peers in the black hole, half of them on a busy channel; as many outside' },
    pingMs: { default: 25_000, description: 'pingInterval of the node, milliseconds' },
    pongMs: { default: 8_000, description: 'pongTimeout of the node, milliseconds' },
  },
  run: async ({ peers = 0, pingMs = 0, pongMs = 0 }, say) => {
    const node = await spawnNode({
      settings: { pingIntervalMs: pingMs, pongTimeoutMs: pongMs, connectionsPerAddressMax: 10_000 },
      namespaces: {
        room: { historySize: 0, presence: true, joinLeave: true },
        live: { allowPublish: 'user' },
      },
    });
    const proxy = await startFaultProxy({ target: { port: node.port } });
    const closers: (() => void)[] = [];
    try {
      const left = new Map<string, number>();
      const observer = await observe(node, left, closers);
      const zombies = crowd('zombie', peers, proxy.port, closers);
      const others = crowd('other', peers, node.port, closers);
      const all = [...zombies, ...others];
      if (!(await until(() => all.every((peer) => peer.isReady), readyMsMax)))
        throw new Error('not all peers connected');
      publishBusily(observer, closers);
      // Everybody has answered at least once: what follows is no matter of first pings.
      await until(() => all.every((peer) => peer.pings > 0), pingMs + readyMsMax);
      const holeAtMs = performance.now();
      proxy.set({ blackHole: 'both' });
      say(`${peers} of ${all.length} peers are in the black hole`);
      const allowedMs = pingMs + pongMs + tickMs + noiseMs;
      await until(() => zombies.every((peer) => left.has(peer.user)), allowedMs + 10_000);
      return await judge({ node, zombies, others, left, observer }, { holeAtMs, allowedMs }, say);
    } finally {
      for (const close of closers) close();
      await proxy.close();
      await node.close();
    }
  },
};

async function observe(node: SpawnedNode, left: Map<string, number>, closers: (() => void)[]): Promise<Tutti> {
  const observer = new Tutti(node.wsUrl, { token: await node.token({ user: 'observer' }) });
  closers.push(() => {
    observer.close();
  });
  const subscription = observer.subscribe(room);
  subscription.on('leave', ({ info }) => {
    left.set(info.user, performance.now());
  });
  await subscription.ready();
  return observer;
}

function crowd(name: string, count: number, port: number, closers: (() => void)[]): Peer[] {
  return Array.from({ length: count }, (_, i) => {
    const peer = new Peer(`${name} ${i}`, 0, port, i % 2 === 0 ? [room] : [room, busy]);
    closers.push(() => {
      peer.destroy();
    });
    return peer;
  });
}

function publishBusily(observer: Tutti, closers: (() => void)[]): void {
  const data = { text: 'x'.repeat(1_000) };
  const timer = setInterval(() => {
    observer.publish(busy, data).catch(() => undefined);
  }, publishEveryMs);
  closers.unshift(() => {
    clearInterval(timer);
  });
}

async function judge(
  { node, zombies, others, left, observer }: Scene,
  { holeAtMs, allowedMs }: { holeAtMs: number; allowedMs: number },
  say: (line: string) => void,
): ReturnType<Proof['run']> {
  const broken: string[] = [];
  const times = zombies.map(({ user }) => Math.round((left.get(user) ?? Infinity) - holeAtMs)).sort((a, b) => a - b);
  const [firstMs, lastMs] = [times[0] ?? Infinity, times.at(-1) ?? Infinity];
  if (lastMs > allowedMs) broken.push(`the last was gone after ${lastMs} ms, not within ${allowedMs}`);
  const stay = others.filter((peer) => peer.ended === undefined && !left.has(peer.user)).length;
  if (stay < others.length) broken.push(`${others.length - stay} of the others were touched`);
  const members = await observer.presence(room);
  const present = Object.values(members).map(({ user }) => user);
  const ghosts = present.filter((user) => user.startsWith('zombie')).length;
  if (ghosts > 0) broken.push(`${ghosts} ghosts in the presence list`);
  if (present.length !== others.length + 1) broken.push(`${present.length} present, not ${others.length + 1}`);
  const noPong = (await readMetrics(node.url)).sum('tutti_connections_closed_total', 'reason="no_pong"');
  if (noPong !== zombies.length) broken.push(`${noPong} connections counted as no_pong, not ${zombies.length}`);
  const before = others.map((peer) => peer.publications);
  await pause(10 * publishEveryMs);
  const deaf = others.filter((peer, i) => i % 2 === 1 && peer.publications === before[i]).length;
  if (deaf > 0) broken.push(`${deaf} of the others receive nothing any more`);
  say(`gone after ${firstMs} to ${lastMs} ms, ${allowedMs} allowed`);
  return {
    broken,
    figures: { allowedMs, firstMs, medianMs: times[times.length >> 1], lastMs, present: present.length },
  };
}
