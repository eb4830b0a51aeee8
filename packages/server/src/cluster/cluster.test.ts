import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBusNetwork, SeededRandom, VirtualClock } from '@tutti/testkit';
import { Counters } from '../telemetry/counters.ts';
import { nullLog } from '../telemetry/null-telemetry.ts';
import { Cluster } from './cluster.ts';
import { MessageFields } from './message-fields.ts';
import type { Peer } from './peers.ts';

const leaseMs = 10_000;
const secret = 'a secret between the nodes of a test cluster';

interface Member {
  readonly cluster: Cluster;
  readonly counters: Counters;
  /** `+name`, `-name`, and what was told. */
  readonly seen: string[];
}

/** A few nodes on one bus and one virtual clock. */
class Scene {
  readonly clock = new VirtualClock();
  readonly random = new SeededRandom(7);
  readonly network = new MemoryBusNetwork(this.clock, this.random.fork());

  async join(nodeName: string, options: { secret?: string } = {}): Promise<Member> {
    const counters = new Counters(nullLog);
    const cluster = new Cluster({
      ...{ bus: this.network.bus(nodeName), clock: this.clock, random: this.random, telemetry: counters },
      ...{ nodeName, secret: options.secret ?? '', leaseMs },
    });
    const seen: string[] = [];
    cluster.watch({ up: ({ name }) => seen.push(`+${name}`), down: ({ name }) => seen.push(`-${name}`) });
    cluster.hear('test', readText, ({ name }, text) => seen.push(`${name}: ${text}`));
    await cluster.start();
    return { cluster, counters, seen };
  }

  /** The process is gone without a word. */
  async kill(member: Member): Promise<void> {
    this.network.drop = (from) => from === member.cluster.self.name;
    await member.cluster.close();
    this.network.drop = () => false;
  }

  pass(ms: number): Promise<void> {
    return this.clock.advanceAsync(ms);
  }
}

function readText(value: unknown): string {
  return new MessageFields(value).text('text');
}

const names = ({ cluster }: Member): string[] => cluster.others.map(({ name }) => name).sort();

test('nodes find each other at once, whatever the order they start in', async () => {
  const scene = new Scene();
  const all = [await scene.join('a'), await scene.join('b')];
  await scene.pass(0);
  all.push(await scene.join('c'));
  await scene.pass(0);
  assert.deepEqual(all.map(names), [
    ['b', 'c'],
    ['a', 'c'],
    ['a', 'b'],
  ]);
  await scene.pass(10 * leaseMs);
  for (const { seen } of all) assert.equal(seen.length, 2, 'nobody comes or goes while all live');
});

test('PRE-4: a killed node is gone within its lease, one that stops at once, and one that returns is another', async () => {
  const scene = new Scene();
  const [a, b, c] = [await scene.join('a'), await scene.join('b'), await scene.join('c')];
  await scene.pass(5_000);
  await scene.kill(b);
  await scene.pass(leaseMs - 3_000);
  assert.deepEqual(names(a), ['b', 'c']);
  await scene.pass(4_000);
  assert.deepEqual([names(a), names(c)], [['c'], ['a']]);
  const again = await scene.join('b');
  await scene.pass(0);
  assert.deepEqual(
    [names(a), names(again)],
    [
      ['b', 'c'],
      ['a', 'c'],
    ],
  );
  await c.cluster.close();
  await scene.pass(0);
  assert.deepEqual(names(a), ['b']);
  assert.deepEqual(a.seen, ['+b', '+c', '-b', '+b', '-c']);
});

test('every lost heartbeat but one in a lease is forgiven', async () => {
  const scene = new Scene();
  const [a, b] = [await scene.join('a'), await scene.join('b')];
  await scene.pass(0);
  scene.network.faults = { loss: 0.2 };
  await scene.pass(60_000);
  assert.deepEqual([a.seen, b.seen], [['+b'], ['+a']]);
});

test('nodes that were parted find each other again', async () => {
  const scene = new Scene();
  const [a, b, c] = [await scene.join('a'), await scene.join('b'), await scene.join('c')];
  await scene.pass(0);
  scene.network.part(['a', 'b'], ['c']);
  await scene.pass(2 * leaseMs);
  assert.deepEqual([names(a), names(b), names(c)], [['b'], ['a'], []]);
  scene.network.heal();
  await scene.pass(0);
  assert.deepEqual(
    [names(a), names(b), names(c)],
    [
      ['b', 'c'],
      ['a', 'c'],
      ['a', 'b'],
    ],
  );
});

test('what is told reaches all, or the one it is for', async () => {
  const scene = new Scene();
  const [a, b, c] = [await scene.join('a'), await scene.join('b'), await scene.join('c')];
  await scene.pass(0);
  a.cluster.tell('test', { text: 'all' });
  a.cluster.tellOne(peerOf(a, 'c'), 'test', { text: 'c' });
  a.cluster.tell('unknown', {});
  a.cluster.tell('test', { no: 'text' });
  await scene.pass(0);
  assert.deepEqual([b.seen.slice(2), c.seen.slice(2)], [['a: all'], ['a: all', 'a: c']]);
  assert.equal(b.counters.snapshot().control_messages_refused, 1);
});

test('a survey has the answers of all that live, however long, and names the silent', async () => {
  const scene = new Scene();
  const [a, b, c] = [await scene.join('a'), await scene.join('b'), await scene.join('c')];
  await scene.pass(0);
  const long = 'x'.repeat(1_000_000);
  for (const { cluster } of [b, c]) {
    cluster.answer('ask', readText, (text) => ({ text: `${cluster.self.name} ${text} ${long}` }));
  }
  const all = a.cluster.survey('ask', { text: 'who' }, readText);
  await scene.pass(10);
  const { answers, silent } = await all;
  assert.deepEqual(answers.map(({ answer }) => answer).sort(), [`b who ${long}`, `c who ${long}`]);
  assert.deepEqual(silent, []);

  scene.network.part(['a', 'b'], ['c']);
  const some = a.cluster.survey('ask', { text: 'who' }, readText, { withinMs: 1_000 });
  await scene.pass(1_100);
  assert.deepEqual(await some.then((survey) => [survey.answers.length, survey.silent]), [1, ['c']]);

  const one = a.cluster.survey('ask', { text: 'who' }, readText, { only: 'b' });
  await scene.pass(10);
  assert.deepEqual(await one.then(({ answers }) => answers.map(({ peer }) => peer.name)), ['b']);
  assert.deepEqual(await a.cluster.survey('ask', {}, readText, { only: 'nobody' }), {
    answers: [],
    silent: ['nobody'],
  });
});

test('a question that fails there, or whose answer is not understood, is not waited for longer than it may', async () => {
  const scene = new Scene();
  const [a, b] = [await scene.join('a'), await scene.join('b')];
  await scene.pass(0);
  b.cluster.answer('fails', readText, () => {
    throw new Error('no');
  });
  b.cluster.answer('odd', readText, () => ({ number: 1 }));
  const surveys = ['fails', 'odd'].map((topic) => a.cluster.survey(topic, { text: '' }, readText, { withinMs: 100 }));
  await scene.pass(200);
  for (const survey of await Promise.all(surveys)) assert.deepEqual(survey, { answers: [], silent: ['b'] });
});

test('S25: a node with another secret, or none, is not there; a message is taken once, and by whom it is for', async () => {
  const scene = new Scene();
  const recorded: { to: string; message: Uint8Array }[] = [];
  scene.network.drop = (_from, to, message) => {
    recorded.push({ to, message });
    return false;
  };
  const [a, b, c] = [
    await scene.join('a', { secret }),
    await scene.join('b', { secret }),
    await scene.join('c', { secret: `${secret}!` }),
  ];
  const stranger = await scene.join('d');
  await scene.pass(0);
  a.cluster.tell('test', { text: 'to all' });
  a.cluster.tellOne(peerOf(a, 'b'), 'test', { text: 'to b' });
  await scene.pass(0);
  assert.deepEqual([names(a), names(b), names(c), names(stranger)], [['b'], ['a'], [], []]);
  const bus = scene.network.bus('mallory');
  await bus.start({ message: () => undefined, interrupted: () => undefined });
  for (const { message } of [...recorded]) {
    for (const node of ['a', 'b', 'c', 'd']) bus.send(node, message);
  }
  await scene.pass(0);
  assert.deepEqual([b.seen, c.seen, stranger.seen], [['+a', 'a: to all', 'a: to b'], [], []]);
});

function peerOf({ cluster }: Member, name: string): Peer {
  const peer = cluster.others.find((other) => other.name === name);
  assert.ok(peer);
  return peer;
}
