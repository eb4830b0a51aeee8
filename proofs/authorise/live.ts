import { MemoryBroker, SystemClock, SystemRandom } from '@tutti/server/internal';
import { SeededRandom } from '@tutti/testkit/seeded-random';
import { freePort, spawnNode } from '@tutti/testkit/spawn-node';
import { startNode } from '@tutti/testkit/start-node';
import type { TestSettings, TestTokens } from '@tutti/testkit/test-settings';
import { callApi, HookBackend, type ApiCaller } from './application.ts';
import { ways } from './live-link.ts';
import { LivePeer } from './live-peer.ts';
import { Acts, Tally } from './tally.ts';
import { below, markOf, names, onlyOf, pick, randomCommand, tenants, users, type Tenant } from './tenants.ts';

/**
 * Mistakes that a node might make with tenants. `no tenants`: it takes no notice of them; `history shared`: its broker
 * reads the log of another; `keys mixed up`: a key opens the other tenant.
 */
export const liveBugs = ['no tenants', 'history shared', 'keys mixed up'] as const;
export type LiveBug = (typeof liveBugs)[number];

const claim = 'tenant';
const keys = { acme: 'the-key-of-acme-for-this-proof', rival: 'the-key-of-rival-for-this-proof' } as const;
const peersOfEach = 2;
/** A connection lives for so many sequences, one with another. */
const peerLife = 6;
/** Namespaces open by a subscription token, and by the application's word. */
const channels = [...names, 'closed:a', 'asked:a'];
const crossedMax = 50;

export interface LiveWanted {
  readonly sequences: number;
  readonly seed: number;
  /** Sequences at the same time, each with connections of its own. */
  readonly workers: number;
  readonly bug?: LiveBug;
}

interface LiveNode extends TestTokens {
  readonly url: string;
  close(): Promise<void>;
}

/** Random sequences on a node with sockets, by clients over all ways, applications with keys, and hooks. */
export async function runLive(wanted: LiveWanted, progress: (done: number) => void): Promise<Tally> {
  const tally = new Tally();
  const acts = new Acts();
  const backend = await HookBackend.start(await freePort(), tally);
  let node: LiveNode | undefined;
  try {
    node = await nodeFor(wanted.bug, backend.url);
    const scene = { ...wanted, node, tally, acts, vocabulary: await vocabularyOf(node) };
    let next = 0;
    // One that was planted shows in many places: all are wanted.
    const isEnough = (): boolean => wanted.bug === undefined && sum(tally.crossed) >= crossedMax;
    const take = (): number => (isEnough() ? wanted.sequences : next++);
    await Promise.all(
      Array.from({ length: wanted.workers }, async (_, i) => {
        const worker = new Worker(scene, new SeededRandom(wanted.seed * 1_000 + i));
        try {
          for (let index = take(); index < wanted.sequences; index = take()) {
            await worker.sequence();
            if ((index + 1) % 1_000 === 0) progress(index + 1);
          }
        } finally {
          worker.close();
        }
      }),
    );
    return tally;
  } finally {
    await node?.close();
    await backend.close();
  }
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, each) => total + each, 0);
}

async function nodeFor(bug: LiveBug | undefined, backend: string): Promise<LiveNode> {
  const options = optionsFor(bug, backend);
  if (bug !== 'history shared') return spawnNode(options);
  const broker = new MemoryBroker({ clock: new SystemClock(), random: new SystemRandom() });
  const history = broker.history.bind(broker);
  broker.history = (channel, query) => history(channel.replace(/^rival[*]/, 'acme*'), query);
  return startNode({ ...options, engine: { broker, mayLoseLive: () => false } });
}

function optionsFor(bug: LiveBug | undefined, backend: string): TestSettings {
  const hasTenants = bug !== 'no tenants';
  const keyOf = (tenant: Tenant): Tenant => (bug === 'keys mixed up' ? 'acme' : tenant);
  return {
    settings: {
      tenantClaim: hasTenants ? claim : '',
      personalNamespace: 'personal',
      apiKeys: tenants.map((tenant) => ({
        ...{ name: tenant, key: keys[tenant], allow: ['*'] },
        ...(hasTenants ? { tenant: keyOf(tenant) } : {}),
      })),
      hookSecret: 'a secret of hooks, for this proof alone',
      ...{
        rpcHookUrl: `${backend}/rpc`,
        subscribeHookUrl: `${backend}/subscribe`,
        publishHookUrl: `${backend}/publish`,
      },
      // As long as this process is busy, too.
      ...{ hookTimeoutMs: 10_000, hookTotalTimeoutMs: 10_000, hookCallsMax: 1_000 },
      webhooks: [
        {
          ...{ name: 'all', url: `${backend}/webhooks`, secrets: ['a secret of webhooks, for this proof alone'] },
          ...{
            events: ['connected', 'disconnected', 'subscribed', 'unsubscribed', 'occupied', 'vacated', 'published'],
          },
          ...{ batchMax: 100, batchDelayMs: 50 },
        },
      ],
      webhookNetworks: ['127.0.0.0/8'],
      // Limits are others' to show, and would make this one slow.
      ...{
        connectRateMax: 0,
        connectionsPerAddressMax: 10_000,
        loopLagMaxMs: 0,
        commandRateMax: 0,
        userCommandRateMax: 0,
      },
      ...{
        publishRateMax: 0,
        subscribeRateMax: 0,
        readRateMax: 0,
        apiKeyRateMax: 0,
        recoveryPageMax: 5,
        logLevel: 'silent',
      },
    },
    namespaces: {
      chat: { historySize: 20, presence: true, joinLeave: true },
      live: { presence: true },
      personal: { historySize: 5, presence: true, allowSubscribe: 'nobody' },
      closed: { historySize: 20, presence: true, allowSubscribe: 'token' },
      asked: { historySize: 20, presence: true, subscribeHook: true, publishHook: true },
    },
  };
}

/** All that peers of a tenant may say; tokens are made once, because that is slow. */
interface Spoken {
  readonly users: readonly string[];
  readonly channels: readonly string[];
  readonly tokens: ReadonlyMap<string, string>;
  /** Of this tenant, by user and channel. */
  readonly grants: ReadonlyMap<string, string>;
}

type LiveVocabulary = Readonly<Record<Tenant, Spoken>>;

async function vocabularyOf(node: TestTokens): Promise<LiveVocabulary> {
  const spoken = async (name: Tenant): Promise<Spoken> => {
    const tenant = { claim, name };
    const info = markOf(name);
    // Names that both have, and one that only this one has, so that lists of names tell whose they are.
    const all = { users: [...users, onlyOf(name), `eve${info}`], channels: [...channels, `chat:${info}`] };
    const tokens = new Map<string, string>();
    const grants = new Map<string, string>();
    for (const user of all.users) {
      tokens.set(user, await node.token({ user, tenant, info, issuedAtMs: Date.now(), channels: ['chat:b'] }));
      for (const channel of all.channels)
        grants.set(`${user}\n${channel}`, await node.subscriptionToken({ user, channel, tenant, info }));
    }
    return { ...all, tokens, grants };
  };
  return { acme: await spoken('acme'), rival: await spoken('rival') };
}

interface Scene extends LiveWanted {
  readonly node: LiveNode;
  readonly tally: Tally;
  readonly acts: Acts;
  readonly vocabulary: LiveVocabulary;
}

/** Some connections of both tenants, and the applications of both. */
class Worker {
  readonly #scene: Scene;
  readonly #random: SeededRandom;
  readonly #api: ApiCaller;
  #peers: LivePeer[] = [];

  constructor(scene: Scene, random: SeededRandom) {
    this.#scene = scene;
    this.#random = random;
    const { acme, rival } = scene.vocabulary;
    this.#api = {
      ...{ url: scene.node.url, keys },
      users: { acme: acme.users, rival: rival.users },
      channels: { acme: acme.channels, rival: rival.channels },
    };
  }

  async sequence(): Promise<void> {
    const random = this.#random;
    this.#renew();
    const steps = 1 + below(random, 8);
    for (let step = 0; step < steps; step += 1) {
      const peer = pick(random, this.#peers);
      peer.send(...Array.from({ length: 1 + below(random, 3) }, () => this.#command(peer)));
      if (random.next() < 0.3) await this.#callApi(pick(random, tenants));
      if (random.next() < 0.5) await peer.settled();
    }
    for (const peer of this.#peers) await peer.settled();
  }

  close(): void {
    for (const peer of this.#peers) peer.close();
  }

  #renew(): void {
    const random = this.#random;
    for (const peer of this.#peers) if (random.next() < 1 / peerLife) peer.close();
    this.#peers = this.#peers.filter(({ ended }) => !ended);
    for (const tenant of tenants) {
      const there = this.#peers.filter(({ options }) => options.tenant === tenant).length;
      for (let i = there; i < peersOfEach; i += 1) this.#peers.push(this.#open(tenant));
    }
  }

  #open(tenant: Tenant): LivePeer {
    const { node, vocabulary, tally, acts } = this.#scene;
    const user = pick(this.#random, vocabulary[tenant].users);
    const token = vocabulary[tenant].tokens.get(user) ?? '';
    return new LivePeer({ url: node.url, way: pick(this.#random, ways), tenant, user, token }, tally, acts);
  }

  #command({ options: { tenant, user } }: LivePeer): Parameters<LivePeer['send']>[0] {
    const random = this.#random;
    const { vocabulary } = this.#scene;
    const own = vocabulary[tenant];
    if (random.next() < 0.1) {
      const data = Buffer.from(JSON.stringify(markOf(tenant)));
      return { rpc: { method: pick(random, ['anything', ...own.channels]), data } };
    }
    // Users of both tenants have the same names, so the other's token is worth a try.
    const from = vocabulary[random.next() < 0.7 ? tenant : pick(random, tenants)];
    const grant = (channel: string): string => from.grants.get(`${user}\n${channel}`) ?? 'none';
    return randomCommand(random, tenant, { channels: own.channels, grant });
  }

  async #callApi(tenant: Tenant): Promise<void> {
    const known = this.#peers.map(({ options, client }) => ({ tenant: options.tenant, user: options.user, client }));
    await callApi(this.#api, this.#random, tenant, known, this.#scene);
  }
}
