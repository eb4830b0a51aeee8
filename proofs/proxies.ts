import { startHaproxy, startNginx, type RunningProxy } from '@tutti/testkit/proxies';
import { PlainEventSource } from '@tutti/testkit/plain-event-source';
import { requireService } from '@tutti/testkit/services';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { Centrifuge, State, type PublicationContext, type TransportName } from 'centrifuge';
import type { Proof } from './proof.ts';
import { pause, until } from './waiting.ts';

const channel = 'chat:proxies';
const transports = ['websocket', 'sse', 'http_stream'] as const satisfies TransportName[];
const readyMsMax = 20_000;
const settleMsMax = 30_000;
const publishEveryMs = 10;
/** How long after a reload is published on: longer than the proxies let the old connections live. */
const afterReloadMs = 4_000;
/** More than the node wants to see before it says that a proxy cuts. */
const silentReaders = 12;

/** One client of the official SDK, behind one proxy, over one transport. */
interface Reader {
  readonly who: string;
  readonly offsets: number[];
  gaps: number;
  /** Times its connection ended. */
  cuts: number;
}

export const proxies: Proof = {
  name: 'proxies',
  shows:
    'the official SDK over WebSocket, SSE and HTTP stream stays through silence behind nginx and HAProxy, and loses nothing when they are reloaded (CON-1, CON-8, DEL-2)',
  options: {
    idle: { default: 60, description: 'seconds of silence' },
    timeout: { default: 5, description: 'idle time-out of the proxies, seconds' },
    pingMs: {
      default: 3_000,
      description: 'pingInterval of the node; without it, that is with 25 s, connections are cut',
    },
  },
  run: async ({ idle = 0, timeout = 0, pingMs = 0 }, say) => {
    const closers: (() => unknown)[] = [];
    try {
      return await prove({ idleMs: idle * 1_000, timeout, pingMs }, closers, say);
    } finally {
      for (const close of closers.reverse()) await close();
    }
  },
};

interface Wanted {
  readonly idleMs: number;
  readonly timeout: number;
  readonly pingMs: number;
}

async function prove(
  { idleMs, timeout, pingMs }: Wanted,
  closers: (() => unknown)[],
  say: (line: string) => void,
): ReturnType<Proof['run']> {
  const broken: string[] = [];
  const pinging = await nodeFor(pingMs, closers);
  const silent = await nodeFor(25_000, closers);
  const behind = [
    await proxyFor('nginx', pinging, timeout, closers),
    await proxyFor('haproxy', pinging, timeout, closers),
  ];
  const control = await proxyFor('nginx', silent, timeout, closers);
  const readers: Reader[] = [];
  for (const proxy of behind) {
    for (const transport of transports) readers.push(await read(pinging, proxy, transport, closers));
  }
  const sources = Array.from({ length: silentReaders }, () => {
    const source = new PlainEventSource(`${control.url}/connection/uni_sse?channels=${channel}`);
    closers.push(() => {
      source.close();
    });
    return source;
  });
  say(`${readers.length} clients are silent for ${idleMs / 1_000} s behind time-outs of ${timeout} s`);
  await pause(idleMs);
  const cutInSilence = readers.reduce((sum, { cuts }) => sum + cuts, 0);
  if (cutInSilence > 0) broken.push(`${cutInSilence} connections were cut in the silence`);
  await Promise.race([Promise.all(sources.map(({ ended }) => ended)), pause(timeout * 2_000)]);
  const warned = await until(() => silent.log.includes('idle time-out shorter than pingInterval'), 5_000);
  if (!warned) broken.push('where the ping interval is too long, the log does not say so');

  const publisher = publishAlways(pinging);
  closers.push(publisher.stop);
  for (const proxy of behind) proxy.reload();
  say('both proxies are reloaded, under publishing');
  await pause(afterReloadMs);
  if (!(await until(() => readers.every(({ cuts }) => cuts > 0), settleMsMax))) {
    broken.push('a reload cut nobody: nothing was shown');
  }
  const published = await publisher.stop();
  await until(() => readers.every(({ offsets }) => offsets.length >= published), settleMsMax);
  for (const reader of readers) broken.push(...judge(reader, published));
  const cutByReload = readers.map(({ cuts }) => cuts);
  say(
    `${published} publications, each client was cut ${Math.min(...cutByReload)} to ${Math.max(...cutByReload)} times`,
  );
  return { broken, figures: { clients: readers.length, cutInSilence, warned, published, cutByReload } };
}

async function nodeFor(pingIntervalMs: number, closers: (() => unknown)[]): Promise<SpawnedNode> {
  const node = await spawnNode({
    settings: {
      pingIntervalMs,
      pongTimeoutMs: Math.min(8_000, Math.floor((pingIntervalMs * 2) / 3)),
      allowAnonymous: true,
      trustedProxies: ['127.0.0.1'],
    },
    namespaces: { chat: { historySize: 100_000 } },
  });
  closers.push(() => node.close());
  return node;
}

async function proxyFor(
  name: RunningProxy['name'],
  node: SpawnedNode,
  idleSeconds: number,
  closers: (() => unknown)[],
): Promise<RunningProxy> {
  const service = await requireService(name);
  if ('skip' in service) throw new Error(service.skip);
  const start = name === 'nginx' ? startNginx : startHaproxy;
  const proxy = await start({ path: service.path, targets: [node.port], idleSeconds });
  closers.push(() => proxy.close());
  return proxy;
}

async function read(
  node: SpawnedNode,
  proxy: RunningProxy,
  transport: TransportName,
  closers: (() => unknown)[],
): Promise<Reader> {
  const reader: Reader = { who: `${transport} behind ${proxy.name}`, offsets: [], gaps: 0, cuts: 0 };
  const origin = transport === 'websocket' ? proxy.url.replace('http', 'ws') : proxy.url;
  const centrifuge = new Centrifuge([{ transport, endpoint: `${origin}/connection/${transport}` }], {
    token: await node.token({ user: 'ann' }),
    emulationEndpoint: `${proxy.url}/emulation`,
    eventsource: PlainEventSource,
    minReconnectDelay: 50,
    maxReconnectDelay: 500,
  });
  closers.push(() => {
    centrifuge.disconnect();
  });
  centrifuge.on('state', ({ oldState }) => {
    if (oldState === State.Connected) reader.cuts += 1;
  });
  const subscription = centrifuge.newSubscription(channel);
  subscription.on('publication', ({ offset = 0 }: PublicationContext) => reader.offsets.push(offset));
  subscription.on('subscribed', ({ wasRecovering, recovered }) => {
    if (wasRecovering && !recovered) reader.gaps += 1;
  });
  subscription.subscribe();
  centrifuge.connect();
  await subscription.ready(readyMsMax);
  return reader;
}

/** Publishes to the node itself, past the proxies. `stop` says how many it took; it may be called twice. */
function publishAlways(node: SpawnedNode): { stop: () => Promise<number> } {
  const centrifuge = new Centrifuge(node.wsUrl, { getToken: () => node.token({ user: 'carl' }) });
  centrifuge.connect();
  let published = 0;
  let isOver = false;
  const publishing = (async (): Promise<void> => {
    while (!isOver) {
      await centrifuge.publish(channel, { n: published + 1 });
      published += 1;
      await pause(publishEveryMs);
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await publishing;
      centrifuge.disconnect();
      return published;
    },
  };
}

function judge({ who, offsets, gaps }: Reader, published: number): string[] {
  const broken: string[] = [];
  const lost = published - new Set(offsets).size;
  if (lost > 0) broken.push(`${who}: ${lost} of ${published} are missing`);
  const doubled = offsets.length - new Set(offsets).size;
  if (doubled > 0) broken.push(`${who}: ${doubled} came twice`);
  if (offsets.some((offset, i) => i > 0 && offset <= (offsets[i - 1] ?? 0))) broken.push(`${who}: not in order`);
  if (gaps > 0) broken.push(`${who}: was told of ${gaps} gaps`);
  return broken;
}
