import { jsonCodec } from '@tutti/protocol/json';
import { protobufCodec } from '@tutti/protocol/protobuf';
import type { Authenticator, OutboundFrame } from '@tutti/server/internal';
import { CoreNode, nameIsToken } from '@tutti/testkit/core-node';
import { MemoryConnection } from '@tutti/testkit/memory-connection';
import { SeededRandom } from '@tutti/testkit/seeded-random';
import { VirtualClock } from '@tutti/testkit/virtual-clock';
import { below, markOf, names, pick, randomCommand, tenants, users, type Tenant, type Vocabulary } from './tenants.ts';

const vocabulary: Vocabulary = { channels: names, grant: () => 'grant' };

class WatchedConnection extends MemoryConnection {
  readonly seen: Buffer[] = [];

  override send(frames: readonly OutboundFrame[]): void {
    for (const { bytes } of frames) this.seen.push(Buffer.from(bytes));
    super.send(frames);
  }
}

export interface CoreTally {
  commands: number;
  answered: number;
  refused: number;
  own: number;
  crossings: string[];
}

export const coreBugs = ['tenant forgotten', 'history shared', 'presence shared'] as const;
export type CoreBug = (typeof coreBugs)[number];

const crossingsMax = 10;

/** Random sequences on core, without a network and on virtual time; with a planted bug, if one is named. */
export async function runOnCore(
  count: number,
  seed: number,
  bug?: CoreBug,
  progress?: (done: number) => void,
): Promise<CoreTally> {
  const random = new SeededRandom(seed);
  const tally: CoreTally = { commands: 0, answered: 0, refused: 0, own: 0, crossings: [] };
  let core = await startCore(seed, bug);
  for (let i = 0; i < count && tally.crossings.length < crossingsMax; i += 1) {
    if (i % 5_000 === 4_999) core = await startCore(seed + i, bug);
    await runSequence(core, random, tally, i);
    if ((i + 1) % 50_000 === 0) progress?.(i + 1);
  }
  return tally;
}

async function startCore(seed: number, bug: CoreBug | undefined): Promise<CoreNode> {
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

async function runSequence(core: CoreNode, random: SeededRandom, tally: CoreTally, index: number): Promise<void> {
  const { clock } = core;
  if (!(clock instanceof VirtualClock)) throw new Error('the core was started on virtual time');
  const peers = tenants.flatMap((tenant) => [peerOf(core, random, tenant), peerOf(core, random, tenant)]);
  await clock.advanceAsync(0);
  const steps = 1 + below(random, 8);
  for (let step = 0; step < steps; step += 1) {
    const { link, tenant } = pick(random, peers);
    if (link.closedWith !== undefined) continue;
    const commands = Array.from({ length: 1 + below(random, 3) }, () => randomCommand(random, tenant, vocabulary));
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

function judge({ tenant, link }: Peer, tally: CoreTally, index: number): void {
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
