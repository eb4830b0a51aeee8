import { parseArgs } from 'node:util';
import type { Codec, Command } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import { protobufCodec } from '@tutti/protocol/protobuf';
import { CoreNode } from '@tutti/testkit/core-node';
import { MemoryConnection } from '@tutti/testkit/memory-connection';
import { SeededRandom } from '@tutti/testkit/seeded-random';
import { VirtualClock } from '@tutti/testkit/virtual-clock';

/**
 * Random command sequences against sessions of one node on virtual time. Judged after each: nothing
 * was thrown or counted as a bug, no command was answered twice, deliveries of each subscription are
 * in order without hole or repetition, and a closed session leaves nothing behind.
 */
export interface SessionFuzzResult {
  readonly seed: number;
  readonly sequences: number;
  readonly commands: number;
  readonly connections: number;
  readonly closedByServer: number;
  /** Publications that peers were told they would not get. */
  readonly skipped: number;
  readonly failures: readonly string[];
  readonly heapGrowthBytes: number;
  readonly perSecond: number;
}

type Totals = { commands: number; connections: number; closedByServer: number; skipped: number };

const channels = [
  'chat:a',
  'chat:b',
  'short:a',
  'live:a',
  'none:a',
  'chat:',
  'chat:é',
  '',
  'x'.repeat(300),
  '__proto__',
  'chat:constructor',
];
/** Of the deliveries that may leave something out. */
const conflated = ['last:a', 'keyed:a', 'loose:a'];
const payloads = ['1', '"text"', '{"a":[1,2,{"b":null}]}', '{}', '"\\u0000"', '[[[[1]]]]'];
const connectionsAtOnce = 4;
const failuresMax = 10;
/** Far from the ids of sound commands, whichever digit is changed. */
const brokenId = 1_111_111_111;

export async function fuzzSessions(options: {
  sequences: number;
  seed: number;
  progress?: (done: number) => void;
}): Promise<SessionFuzzResult> {
  const random = new SeededRandom(options.seed);
  const failures: string[] = [];
  const totals = { commands: 0, connections: 0, closedByServer: 0, skipped: 0 };
  const started = performance.now();
  let core = await startCore(options.seed);
  let heapBefore = 0;
  for (let i = 0; i < options.sequences && failures.length < failuresMax; i += 1) {
    // A fresh node now and then; the growth is measured on one that has already warmed up.
    if (i % 20_000 === 0) core = await startCore(options.seed + i);
    if (i === Math.min(2_000, Math.floor(options.sequences / 4))) heapBefore = heapUsed();
    const problem = await runSequence(core, random, totals);
    if (problem !== undefined) failures.push(`sequence ${i}: ${problem}`);
    if ((i + 1) % 10_000 === 0) options.progress?.(i + 1);
  }
  const seconds = (performance.now() - started) / 1_000;
  return {
    seed: options.seed,
    sequences: options.sequences,
    ...totals,
    failures,
    heapGrowthBytes: heapUsed() - heapBefore,
    perSecond: Math.round(options.sequences / seconds),
  };
}

function startCore(seed: number): Promise<CoreNode> {
  return CoreNode.start({
    clock: new VirtualClock(),
    random: new SeededRandom(seed),
    namespaces: {
      chat: { historySize: 50, presence: true, joinLeave: true },
      short: { historySize: 2 },
      live: { presence: true },
      personal: { historySize: 5, allowSubscribe: 'nobody' },
      last: { historySize: 20, delivery: 'latest' },
      keyed: { historySize: 20, delivery: 'latest_by_key' },
      loose: { overflow: 'drop' },
    },
    limits: {
      subscriptionsMax: 6,
      pendingCommandsMax: 20,
      recoveryPageMax: 3,
      outboundBytesMax: 32 * 1024,
      inFlightBytesMax: 4 * 1024,
    },
    rpc: {
      echo: (data) => data,
      fail: () => Promise.reject(new Error('as planned')),
      slow: () => new Promise((resolve) => setImmediate(resolve)),
    },
  });
}

async function runSequence(core: CoreNode, random: SeededRandom, totals: Totals): Promise<string | undefined> {
  const clock = core.clock as VirtualClock;
  const peers = Array.from({ length: 1 + below(random, connectionsAtOnce) }, () => new Peer(core, random));
  totals.connections += peers.length;
  const steps = 1 + below(random, 12);
  for (let step = 0; step < steps; step += 1) {
    const peer = pick(random, peers);
    totals.commands += peer.act();
    if (random.next() < 0.3)
      await core.node.publish(pick(random, ['chat:a', 'chat:b', 'short:a', 'live:a']), { data: Buffer.from('1') });
    if (random.next() < 0.3) await publishMany(core, random);
    if (random.next() < 0.5) await clock.advanceAsync(random.next() < 0.05 ? random.next() * 40_000 : 0);
  }
  for (const peer of peers) peer.finish();
  await clock.advanceAsync(1);
  totals.closedByServer += peers.filter((peer) => peer.link.closedWith !== undefined).length;
  for (const peer of peers) for (const { push } of peer.link.replies) totals.skipped += push?.pub?.skipped ?? 0;
  const tops = await topsOf(core, ['chat:a', 'chat:b', 'short:a', 'last:a', 'keyed:a']);
  const problem = peers.map((peer) => peer.problem(tops)).find((found) => found !== undefined);
  for (const peer of peers) peer.link.drop();
  await clock.advanceAsync(1);
  const { connections, subscriptions, channels: open } = core.node.figures(1);
  if (connections + subscriptions + open > 0)
    return `left behind: ${connections} connections, ${subscriptions} subscriptions, ${open} channels`;
  const { bugs } = core.counters.snapshot();
  return bugs > 0 ? `${bugs} bugs counted` : problem;
}

async function topsOf(core: CoreNode, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const pages = await Promise.all(
    names.map(async (name) => [name, (await core.broker.history(name, { limit: 0 })).top.offset] as const),
  );
  return new Map(pages);
}

/** Enough at once that peers which do not read lag, and now and then that their queues are full. */
async function publishMany(core: CoreNode, random: SeededRandom): Promise<void> {
  const channel = pick(random, [...conflated, 'chat:a']);
  const data = Buffer.from(JSON.stringify('.'.repeat(below(random, 2_000))));
  const count = 1 + below(random, 40);
  for (let i = 0; i < count; i += 1) {
    const key = `k${below(random, 3)}`;
    await core.node.publish(channel, { data, key, ...(random.next() < 0.05 ? { final: true } : {}) });
  }
}

class Peer {
  readonly link: MemoryConnection;
  readonly #random: SeededRandom;

  constructor(core: CoreNode, random: SeededRandom) {
    this.#random = random;
    const codec: Codec = random.next() < 0.7 ? jsonCodec : protobufCodec;
    this.link = core.link(new MemoryConnection(codec));
    if (random.next() < 0.9) this.link.command({ connect: { token: pick(random, ['ann', 'bob', '', 'bad']) } });
  }

  /** One thing a peer may do, sensible or not; returns the commands it sent. */
  act(): number {
    const random = this.#random;
    const chance = random.next();
    if (this.link.closedWith !== undefined) return 0;
    if (chance < 0.04) this.#sendBroken();
    else if (chance < 0.1) this.link.stalled = true;
    else if (chance < 0.14) this.link.read(this.#random.next() * 300);
    else if (chance < 0.16) this.link.pong();
    else {
      const commands = Array.from({ length: 1 + below(random, 4) }, () => randomCommand(random));
      this.link.command(...commands);
      return commands.length;
    }
    return 0;
  }

  finish(): void {
    if (this.link.closedWith === undefined) this.link.read();
  }

  /** What it saw that should not be. */
  problem(tops: ReadonlyMap<string, number>): string | undefined {
    const answered = this.link.replies.flatMap((reply) =>
      reply.id !== undefined && this.link.asked.has(reply.id) ? [reply.id] : [],
    );
    if (new Set(answered).size !== answered.length) return 'a command was answered twice';
    return this.#deliveryProblem(tops);
  }

  /** A valid frame with bytes changed, cut or doubled. */
  #sendBroken(): void {
    const frame = Buffer.from(this.link.codec.encodeCommands([{ id: brokenId, ...randomCommand(this.#random) }]));
    const at = below(this.#random, frame.length);
    const kind = below(this.#random, 3);
    if (kind === 0) frame[at] = below(this.#random, 256);
    this.link.receive(
      kind === 1 ? frame.subarray(0, at) : kind === 2 ? Buffer.concat([frame, frame.subarray(at)]) : frame,
    );
  }

  /**
   * Per channel: after each answered subscribe, offsets go on from the answered position, by one and by what
   * is said to be skipped; and the last value has come, where no interval can hold it back.
   */
  #deliveryProblem(tops: ReadonlyMap<string, number>): string | undefined {
    const next = new Map<string, number>();
    const asked = this.link.asked;
    const held = new Set<string>();
    for (const reply of this.link.replies) {
      const command = reply.id === undefined ? undefined : asked.get(reply.id);
      const channel = command?.subscribe?.channel;
      const asksFor = command?.subscribe ?? command?.sub_refresh;
      if ((asksFor?.interval ?? 0) > 0) held.add(asksFor?.channel ?? '');
      if (command?.unsubscribe !== undefined && reply.error === undefined)
        next.delete(command.unsubscribe.channel ?? '');
      if (reply.subscribe?.positioned === true && channel !== undefined) {
        const missed = reply.subscribe.publications ?? [];
        next.set(channel, (reply.subscribe.offset ?? 0) + missed.length + 1);
      }
      const { pub, channel: pushed = '', unsubscribe } = reply.push ?? {};
      if (unsubscribe !== undefined) next.delete(pushed);
      if (pub?.offset === undefined || !next.has(pushed)) continue;
      const due = (next.get(pushed) ?? 0) + (pub.skipped ?? 0);
      if (pub.offset !== due) return `${pushed}: offset ${pub.offset} where ${due} was due`;
      next.set(pushed, pub.offset + 1);
    }
    if (this.link.closedWith !== undefined) return undefined;
    for (const [channel, due] of next) {
      const top = tops.get(channel);
      if (top !== undefined && due <= top && !held.has(channel)) return `${channel}: ${due} to ${top} did not come`;
    }
    return undefined;
  }
}

function randomCommand(random: SeededRandom): Command {
  const chance = random.next();
  const channel = pick(random, chance < 0.6 ? channels.slice(0, 4) : chance < 0.85 ? conflated : channels);
  const interval = pick(random, [0, 1, 50, 2_000, 100_000]);
  const data = Buffer.from(pick(random, payloads));
  const offset = below(random, 60);
  const makers: (() => Command)[] = [
    () => ({ subscribe: { channel } }),
    () => ({
      subscribe: { channel, recover: true, offset, epoch: random.next() < 0.5 ? '' : 'other', flag: below(random, 4) },
    }),
    () => ({ subscribe: { channel, token: 'grant', type: below(random, 3) } }),
    () => ({ subscribe: { channel, interval } }),
    () => ({ subscribe: { channel, interval, recover: true, offset } }),
    () => ({ sub_refresh: { channel, interval } }),
    () => ({ unsubscribe: { channel } }),
    () => ({ publish: { channel, data } }),
    () => ({
      publish: { channel, data, idempotency_key: `k${below(random, 5)}`, key: 'k', final: random.next() < 0.5 },
    }),
    () => ({ publish: { channel, data, expected_offset: offset } }),
    () => ({ publish: { channel } }),
    () => ({ presence: { channel } }),
    () => ({ presence_stats: { channel } }),
    () => ({
      history: { channel, limit: below(random, 400) - 50, since: { offset, epoch: '' }, reverse: random.next() < 0.5 },
    }),
    () => ({ history: { channel } }),
    () => ({ rpc: { method: pick(random, ['echo', 'fail', 'slow', 'nothing', '__proto__']), data } }),
    () => ({ sub_refresh: { channel, token: 'grant' } }),
    () => ({ refresh: { token: 'ann' } }),
  ];
  const rare: (() => Command)[] = [
    () => ({ connect: {} }),
    () => ({ send: { data } }),
    () => ({ ping: {} }),
    () => ({ refresh: {} }),
  ];
  return (random.next() < 0.98 ? pick(random, makers) : pick(random, rare))();
}

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[below(random, from.length)] as T;
}

function below(random: SeededRandom, bound: number): number {
  return Math.floor(random.next() * bound);
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { sequences: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
  });
  const result = await fuzzSessions({
    sequences: Number(values.sequences),
    seed: Number(values.seed),
    progress: (done) => process.stdout.write(`${done} sequences\n`),
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exitCode = result.failures.length > 0 ? 1 : 0;
}
