import type { Command } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import { protobufCodec } from '@tutti/protocol/protobuf';
import type { Authenticator, OutboundFrame } from '@tutti/server/internal';
import { CoreNode, nameIsToken } from '@tutti/testkit/core-node';
import { MemoryConnection } from '@tutti/testkit/memory-connection';
import { SeededRandom } from '@tutti/testkit/seeded-random';
import { VirtualClock } from '@tutti/testkit/virtual-clock';
import type { Proof } from './proof.ts';

const tenants = ['acme', 'rival'] as const;
type Tenant = (typeof tenants)[number];
const users = ['ann', 'bob'];
const names = ['chat:a', 'chat:b', 'live:a', 'personal:ann'];
/** What somebody would try who wants the other's: inner names, other spellings, other types of the same. */
const hostile = [
  ...['acme*chat:a', 'rival*chat:a', '*chat:a', 'acme:chat:a', 'acme/chat:a', 'chat:a*', '*', 'chat:*'],
  ...['chat:a/../b', 'chat:../acme/a', 'chat:a%2f', 'CHAT:a', 'chat:é', 'chat:e\u0301', 'chat:a\u0000', 'chat::a'],
  ...['', 'x'.repeat(300), '__proto__', 'chat:constructor', '\ud800', 'tutti:stats', 'chat:a ', 'acme\nchat:a'],
];

/** Everything of a tenant carries its mark, and no frame to the other may hold it. */
function markOf(tenant: string): string {
  return `#${tenant}#`;
}

class WatchedConnection extends MemoryConnection {
  readonly seen: Buffer[] = [];

  override send(frames: readonly OutboundFrame[]): void {
    for (const { bytes } of frames) this.seen.push(Buffer.from(bytes));
    super.send(frames);
  }
}

interface Tally {
  commands: number;
  answered: number;
  refused: number;
  own: number;
  crossings: string[];
}

/** S11 from outside: whatever users of two tenants send, nothing of one is in what the other is sent. */
export const authorise: Proof = {
  name: 'authorise',
  shows:
    'random commands by users of two tenants, hostile names among them: no publication, presence or history crosses (S11)',
  options: {
    sequences: { default: 200_000, description: 'random command sequences' },
    planted: { default: 500, description: 'sequences on each node with a planted bug, which must be found' },
    seed: { default: 1, description: 'of the random numbers' },
  },
  run: async ({ sequences = 0, planted = 0, seed = 0 }, say) => {
    const broken: string[] = [];
    const tally = await runMany(sequences, seed, undefined, (done) => say(`${done} sequences`));
    if (tally.crossings.length > 0) broken.push(...tally.crossings);
    if (tally.own === 0 || tally.refused === 0)
      broken.push('nothing was delivered, or nothing refused: this shows nothing');
    const { crossings: _, ...counted } = tally;
    say(JSON.stringify(counted));
    const found: Record<string, number> = {};
    for (const bug of bugs) {
      const { crossings } = await runMany(planted, seed + 1, bug);
      found[bug] = crossings.length;
      if (crossings.length === 0) broken.push(`the planted bug "${bug}" was not found`);
    }
    return { broken, figures: { sequences, ...counted, plantedFound: found } };
  },
};

const bugs = ['tenant forgotten', 'history shared', 'presence shared'] as const;
type Bug = (typeof bugs)[number];

const crossingsMax = 10;

async function runMany(count: number, seed: number, bug?: Bug, progress?: (done: number) => void): Promise<Tally> {
  const random = new SeededRandom(seed);
  const tally: Tally = { commands: 0, answered: 0, refused: 0, own: 0, crossings: [] };
  let core = await startCore(seed, bug);
  for (let i = 0; i < count && tally.crossings.length < crossingsMax; i += 1) {
    if (i % 5_000 === 4_999) core = await startCore(seed + i, bug);
    await runSequence(core, random, tally, i);
    if ((i + 1) % 50_000 === 0) progress?.(i + 1);
  }
  return tally;
}

async function startCore(seed: number, bug: Bug | undefined): Promise<CoreNode> {
  const marking: Authenticator = {
    ...nameIsToken,
    connect: async (attempt) => {
      const { tenant = '', ...identity } = await nameIsToken.connect(attempt);
      const info = Buffer.from(JSON.stringify(markOf(tenant)));
      return { ...identity, info, channels: ['chat:b'], ...(bug === 'tenant forgotten' ? {} : { tenant }) };
    },
  };
  const core = await CoreNode.start({
    clock: new VirtualClock(),
    random: new SeededRandom(seed),
    authenticator: marking,
    namespaces: {
      chat: { historySize: 20, presence: true, joinLeave: true },
      live: { presence: true },
      personal: { historySize: 5, presence: true, allowSubscribe: 'nobody' },
    },
    limits: { recoveryPageMax: 5 },
  });
  if (bug === 'history shared') shareHistory(core);
  if (bug === 'presence shared') sharePresence(core);
  return core;
}

/** A broker that reads the log of whoever wrote last, as one would that cuts the tenant off its keys. */
function shareHistory({ broker }: CoreNode): void {
  const history = broker.history.bind(broker);
  broker.history = (channel, query) => history(channel.replace(/^rival[*]/, 'acme*'), query);
}

function sharePresence(core: CoreNode): void {
  const { presence } = core;
  const members = presence.members.bind(presence);
  presence.members = (channel) => members(channel.replace(/^rival[*]/, 'acme*'));
}

async function runSequence(core: CoreNode, random: SeededRandom, tally: Tally, index: number): Promise<void> {
  const { clock } = core;
  if (!(clock instanceof VirtualClock)) throw new Error('the core was started on virtual time');
  const peers = tenants.flatMap((tenant) => [peerOf(core, random, tenant), peerOf(core, random, tenant)]);
  await clock.advanceAsync(0);
  const steps = 1 + below(random, 8);
  for (let step = 0; step < steps; step += 1) {
    const { link, tenant } = pick(random, peers);
    if (link.closedWith !== undefined) continue;
    const commands = Array.from({ length: 1 + below(random, 3) }, () => randomCommand(random, tenant));
    tally.commands += commands.length;
    link.command(...commands);
    if (random.next() < 0.3) await steer(core, random, pick(random, tenants));
    if (random.next() < 0.5) await clock.advanceAsync(0);
  }
  await clock.advanceAsync(30);
  for (const peer of peers) judge(peer, tally, index);
  for (const { link } of peers) link.drop();
  await clock.advanceAsync(1);
}

interface Peer {
  readonly tenant: Tenant;
  readonly link: WatchedConnection;
}

function peerOf(core: CoreNode, random: SeededRandom, tenant: Tenant): Peer {
  const link = new WatchedConnection(random.next() < 0.7 ? jsonCodec : protobufCodec);
  core.connect(`${pick(random, users)}@${tenant}`, link);
  return { tenant, link };
}

/** What the application does meanwhile, for one tenant. */
async function steer(core: CoreNode, random: SeededRandom, tenant: Tenant): Promise<void> {
  const { directory } = core.node;
  const whose = { tenant, user: pick(random, users) };
  const name = pick(random, names);
  const chance = random.next();
  const data = Buffer.from(JSON.stringify(markOf(tenant)));
  if (chance < 0.5) await core.node.publish(name, { data }, {}, tenant);
  else if (chance < 0.7) directory.unsubscribe(whose, name);
  else if (chance < 0.9) await directory.subscribe(whose, 'live:a', { data }).catch(() => undefined);
  else directory.disconnect(whose);
}

function judge({ tenant, link }: Peer, tally: Tally, index: number): void {
  const bytes = Buffer.concat(link.seen);
  for (const other of tenants) {
    if (other === tenant) {
      if (bytes.includes(markOf(other))) tally.own += 1;
      continue;
    }
    if (bytes.includes(markOf(other)))
      tally.crossings.push(`sequence ${index}: ${tenant} was sent something of ${other}`);
  }
  for (const { id, error, push } of link.replies) {
    if (push?.channel?.includes('*') === true)
      tally.crossings.push(`sequence ${index}: a client was told an inner name`);
    if (id === undefined) continue;
    if (error === undefined) tally.answered += 1;
    else tally.refused += 1;
  }
}

function randomCommand(random: SeededRandom, tenant: Tenant): Command {
  const channel = random.next() < 0.75 ? pick(random, names) : pick(random, hostile);
  const data = Buffer.from(JSON.stringify(`${markOf(tenant)}${below(random, 1_000)}`));
  const offset = below(random, 30);
  const makers: (() => Command)[] = [
    () => ({ subscribe: { channel } }),
    () => ({ subscribe: { channel, recover: true, offset, epoch: '' } }),
    () => ({ subscribe: { channel, token: 'grant' } }),
    () => ({ unsubscribe: { channel } }),
    () => ({ publish: { channel, data } }),
    () => ({ publish: { channel, data, idempotency_key: `k${below(random, 3)}` } }),
    () => ({ publish: { channel, data, expected_offset: offset } }),
    () => ({ presence: { channel } }),
    () => ({ presence_stats: { channel } }),
    () => ({ history: { channel, limit: 50, reverse: random.next() < 0.5 } }),
    () => ({ history: { channel, limit: 5, since: { offset, epoch: '' } } }),
    () => ({ sub_refresh: { channel, token: 'grant' } }),
  ];
  return pick(random, makers)();
}

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[below(random, from.length)] as T;
}

function below(random: SeededRandom, bound: number): number {
  return Math.floor(random.next() * bound);
}
