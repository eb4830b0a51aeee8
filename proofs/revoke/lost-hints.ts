import { TuttiApi } from '@tutti/api';
import { BusProxy, type LosesTopic } from '@tutti/testkit/bus-proxy';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { startStore, type StoreName } from '../engines.ts';
import { readMetrics } from '../metrics.ts';
import type { Verdict } from '../proof.ts';
import { pause, until } from '../waiting.ts';
import type { RevokeWanted } from './one-node.ts';
import { apiKey, channel, countOf, publishing, subjects, watch, type Subject, type Watched } from './watched.ts';

/** As good as never, within this proof. */
const neverMs = 3_600_000;
const startMsMax = 20_000;
const clusterSecret = 'the nodes of this proof believe each other';

const isHint: LosesTopic = (topic) => topic === 'tutti.revoked' || topic === 'tutti:{revocations}';
/** Answers of the store come to an inbox, where the engine is NATS. */
const isOfTheBus: LosesTopic = (topic) => !topic.startsWith('_INBOX.');

interface Round {
  readonly name: string;
  readonly loses: LosesTopic;
  readonly losesHints: boolean;
}

const rounds: readonly Round[] = [
  { name: 'hints arrive', loses: () => false, losesHints: false },
  { name: 'hints are lost', loses: isHint, losesHints: true },
  { name: 'the whole bus is lost', loses: isOfTheBus, losesHints: true },
];

interface Member {
  readonly node: SpawnedNode;
  readonly proxy: BusProxy;
}

interface Scene extends RevokeWanted {
  /** What the read of the list, and the last delivery, may take besides. */
  readonly slackMs: number;
  /** Where revocations are given, and publications come from. */
  readonly giving: Member;
  /** Reads the list every `graceMs`. */
  readonly reading: Member;
  /** Reads it never: it has nothing but the hints. */
  readonly trusting: Member;
  readonly api: TuttiApi;
  readonly others: readonly Watched[];
}

/**
 * Three real nodes on a real engine. Revocations are given at one; the users are at another, whose bus loses what
 * it is told to. The third re-reads nothing, as a node would that relied on the bus: where hints are lost its users
 * must still be served, or else this shows nothing.
 */
export async function revokeWithLostHints(
  wanted: RevokeWanted & { readonly slackMs: number },
  engine: StoreName,
  say: (line: string) => void,
): Promise<Verdict> {
  const closers: (() => unknown)[] = [];
  const broken: string[] = [];
  try {
    const scene = await build(wanted, engine, closers);
    const figures: Record<string, unknown> = {};
    for (const round of rounds) {
      const seen = await play(scene, round, broken);
      say(`${engine}, ${round.name}: ${JSON.stringify(seen)}`);
      figures[round.name] = seen;
    }
    const failed = (await readMetrics(scene.reading.node.url)).sum('tutti_revocation_reads_failed_total');
    if (failed > 0) broken.push(`the list could not be read ${failed} times: more than the bus was lost`);
    return { broken, figures: { engine, ...figures } };
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function build(
  wanted: RevokeWanted & { readonly slackMs: number },
  engine: StoreName,
  closers: (() => unknown)[],
): Promise<Scene> {
  const store = await startStore(engine);
  closers.push(() => store.close());
  const start = async (nodeName: string, revocationPollIntervalMs: number): Promise<Member> => {
    const proxy = await BusProxy.start({ wire: engine, target: { port: store.port } });
    closers.push(() => proxy.close());
    const node = await spawnNode({
      settings: {
        ...{ engine: store.urlAt(proxy.port), nodeName, clusterSecret, revocationPollIntervalMs },
        apiKeys: [{ name: 'full', key: apiKey, allow: ['*'] }],
      },
      namespaces: { news: { historySize: 10_000, durable: true } },
    });
    closers.push(() => node.close());
    return { node, proxy };
  };
  const giving = await start('giving', wanted.graceMs);
  const reading = await start('reading', wanted.graceMs);
  const trusting = await start('trusting', neverMs);
  const api = new TuttiApi({ url: giving.node.url, key: apiKey });
  const others = await Promise.all(
    Array.from({ length: wanted.bystanders }, async (_, i) => {
      const user = `other-${i}`;
      const watched = await watch(reading.node, user, await reading.node.token({ user, issuedAtMs: Date.now() }));
      closers.push(() => watched.client.close());
      return watched;
    }),
  );
  closers.push(publishing(() => api.publish(channel, performance.now()), wanted.rate));
  return { ...wanted, giving, reading, trusting, api, others };
}

interface Seen {
  /** From when the revocation was asked for to the end of the connection. */
  readonly endedAfterMs: Readonly<Record<string, number>>;
  /** From there on, to them, after the grace. */
  readonly afterGrace: number;
  /** To those of the node that has nothing but hints, after the grace. */
  readonly toTrusting: number;
  readonly toBystanders: number;
  readonly lostHints: number;
  readonly lostMessages: number;
}

interface Victims {
  readonly reading: ReadonlyMap<Subject, Watched>;
  readonly trusting: ReadonlyMap<Subject, Watched>;
}

async function play(scene: Scene, { name, loses, losesHints }: Round, broken: string[]): Promise<Seen> {
  const { graceMs, slackMs, reading, trusting, others } = scene;
  const victims = { reading: await follow(reading, name), trusting: await follow(trusting, name) };
  const [watched, trustingWatched] = [[...victims.reading.values()], [...victims.trusting.values()]];
  try {
    const all = [...watched, ...trustingWatched, ...others];
    const before = all.map(({ received }) => received);
    if (!(await until(() => all.every(({ received }, i) => received > (before[i] ?? 0)), startMsMax)))
      throw new Error('publications did not reach everybody before anything was lost');
    const lostBefore = countLost(reading);
    for (const { proxy } of [reading, trusting]) proxy.lose(loses);
    const revokedAtMs = performance.now();
    await revokeAll(scene, victims, name);
    await pause(graceMs + slackMs);
    const marks = { reading: countOf(watched), trusting: countOf(trustingWatched), others: countOf(others) };
    // Nobody may be served when all comes again, either.
    for (const { proxy } of [reading, trusting]) proxy.heal();
    const isServedAgain = (): boolean => countOf(others) > marks.others;
    if (!(await until(isServedAgain, startMsMax))) broken.push(`${name}: the others were not served any more`);
    await pause(2 * graceMs);
    const lost = countLost(reading);
    const seen: Seen = {
      endedAfterMs: Object.fromEntries(
        [...victims.reading].map(([subject, { endedAtMs }]) => [subject, Math.round(endedAtMs - revokedAtMs)]),
      ),
      afterGrace: countOf(watched) - marks.reading,
      toTrusting: countOf(trustingWatched) - marks.trusting,
      toBystanders: countOf(others) - marks.others,
      lostHints: lost.hints - lostBefore.hints,
      lostMessages: lost.messages - lostBefore.messages,
    };
    judge(name, losesHints, victims, seen, broken);
    return seen;
  } finally {
    for (const { client } of [...watched, ...trustingWatched]) client.close();
  }
}

function judge(name: string, losesHints: boolean, victims: Victims, seen: Seen, broken: string[]): void {
  for (const [subject, { client }] of victims.reading) {
    const { state } = client.tutti;
    if (state !== 'disconnected') broken.push(`${name}: the ${subject} is ${state} after the grace`);
  }
  if (seen.afterGrace > 0) broken.push(`${name}: ${seen.afterGrace} publications to revoked ones after the grace`);
  for (const [subject, { client }] of victims.trusting) {
    const isServed = client.tutti.state === 'connected';
    if (losesHints && !isServed)
      broken.push(`${name}: the ${subject} ended without a hint and a read: nothing is shown`);
    if (!losesHints && isServed) broken.push(`${name}: the hint did not end the ${subject}`);
  }
  if (losesHints && seen.toTrusting === 0) broken.push(`${name}: a node without reads served nobody: nothing is shown`);
  if (losesHints !== seen.lostHints > 0) broken.push(`${name}: ${seen.lostHints} hints were lost`);
}

/** Users, tokens and sessions of a round at one node: a token and a user are the same at every node. */
async function follow({ node }: Member, round: string): Promise<Map<Subject, Watched>> {
  const victims = new Map<Subject, Watched>();
  const issuedAtMs = Date.now() - 5_000;
  for (const subject of subjects) {
    const user = `${subject} of: ${round}`;
    // A session takes its token along, so those of two nodes have one each.
    const id = subject === 'session' ? `${user}, ${node.port}` : user;
    victims.set(subject, await watch(node, user, await node.token({ user, id, issuedAtMs })));
  }
  return victims;
}

async function revokeAll({ api }: Scene, { reading, trusting }: Victims, round: string): Promise<void> {
  const clientOf = (victims: ReadonlyMap<Subject, Watched>): string =>
    victims.get('session')?.client.tutti.client ?? '';
  await Promise.all([
    api.revoke({ user: `user of: ${round}` }),
    api.revoke({ jti: `token of: ${round}` }),
    api.revoke({ client: clientOf(reading) }),
    api.revoke({ client: clientOf(trusting) }),
  ]);
}

function countLost({ proxy }: Member): { hints: number; messages: number } {
  return { hints: proxy.lostOf(isHint), messages: proxy.lostOf(() => true) };
}
