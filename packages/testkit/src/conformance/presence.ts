import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientInfo } from '@tutti/protocol';
import type { Presence } from '@tutti/server/internal';

export interface PresenceUnderTest {
  /** One for each node, not yet started; one node is enough. */
  readonly nodes: readonly Presence[];
  /** Called once, after all nodes' `start`. */
  join?(): Promise<void> | void;
  /** Resolves when what was done on one node has reached the others. */
  settle(): Promise<void> | void;
  /** Called last, after every node was closed. */
  dispose?(): Promise<void> | void;
}

/** Started nodes, with what each told. */
class Bench {
  readonly made: PresenceUnderTest;
  readonly told: string[][];

  constructor(made: PresenceUnderTest) {
    this.made = made;
    this.told = made.nodes.map(() => []);
  }

  /** Nodes by number, around: on a single node it is always that one. */
  node(index: number): Presence {
    return this.made.nodes[index % this.made.nodes.length] as Presence;
  }

  async start(): Promise<void> {
    for (const [index, node] of this.made.nodes.entries()) {
      const told = this.told[index] ?? [];
      await node.start({
        join: (channel, { client }, isFirst) => told.push(`+${client} ${channel}${isFirst ? ' first' : ''}`),
        leave: (channel, { client }, isLast) => told.push(`-${client} ${channel}${isLast ? ' last' : ''}`),
      });
    }
    await this.made.join?.();
  }

  /** The same on every node. */
  async every<Answer>(ask: (node: Presence) => Promise<Answer>, expected: Answer): Promise<void> {
    await this.made.settle();
    for (const node of this.made.nodes) assert.deepEqual(await ask(node), expected);
  }

  async everyTold(expected: readonly string[]): Promise<void> {
    await this.made.settle();
    for (const told of this.told) assert.deepEqual([...told].sort(), [...expected].sort());
  }
}

const member = (client: string, user = client.slice(0, 1)): ClientInfo => ({ user, client });
const clientsOf = async (node: Presence, channel: string): Promise<string[]> =>
  (await node.members(channel)).map(({ client }) => client).sort();

/**
 * Registers the tests every `Presence` must pass (docs/spec/presence.md). `create` is called once a test. An
 * outside adapter calls it in a test file of its own: `presenceConformance('mine', async () => …)`.
 */
// long on purpose: one flat list of promises, to be read from top to bottom beside presence.ts
export function presenceConformance(name: string, create: () => Promise<PresenceUnderTest>): void {
  const it = (title: string, body: (bench: Bench) => Promise<void>): void => {
    test(`${title} [${name}]`, async () => {
      const made = await create();
      const bench = new Bench(made);
      try {
        await bench.start();
        await body(bench);
      } finally {
        for (const node of made.nodes) await node.close();
        await made.dispose?.();
      }
    });
  };

  it('PRE-5: a member is told once: again is no second join, an absent one no leave', async (bench) => {
    const node = bench.node(0);
    await node.add('room', member('a1'));
    await node.add('room', { ...member('a1'), chan_info: Buffer.from('1') });
    await bench.every((each) => each.members('room'), [{ ...member('a1'), chan_info: Buffer.from('1') }]);
    await node.remove('room', 'a1');
    await node.remove('room', 'a1');
    await node.remove('elsewhere', 'a1');
    await bench.everyTold(['+a1 room first', '-a1 room last']);
  });

  it('PRE-2: a user is there from the first connection to the last, whichever nodes they are on', async (bench) => {
    for (const [index, client] of ['a1', 'a2', 'b1'].entries()) await bench.node(index).add('room', member(client));
    await bench.every((node) => node.stats('room'), { clients: 3, users: 2 });
    await bench.node(0).remove('room', 'a1');
    await bench.every((node) => node.stats('room'), { clients: 2, users: 2 });
    await bench.node(1).remove('room', 'a2');
    await bench.every((node) => node.stats('room'), { clients: 1, users: 1 });
    await bench.made.settle();
    for (const told of bench.told) {
      assert.equal(told.filter((line) => line.startsWith('+a') && line.endsWith('first')).length, 1);
      assert.deepEqual(
        told.filter((line) => line.startsWith('-a')),
        ['-a1 room', '-a2 room last'],
      );
    }
  });

  it('PRE-3: every node gives the same answer, with all that is shown of a member', async (bench) => {
    const shown = { ...member('a1'), conn_info: Buffer.from('{"n":"Ann"}'), chan_info: Buffer.from([0, 255]) };
    await bench.node(0).add('room', shown);
    await bench.node(1).add('room', member('b1'));
    await bench.node(2).add('other', member('c1'));
    await bench.every((node) => clientsOf(node, 'room'), ['a1', 'b1']);
    await bench.every(async (node) => (await node.page('room', { after: '', limit: 1 })).members, [shown]);
    await bench.every((node) => clientsOf(node, 'other'), ['c1']);
    await bench.every((node) => clientsOf(node, 'nowhere'), []);
  });

  it('PRE-3: a long list comes in pages, each member once', async (bench) => {
    const clients = Array.from({ length: 250 }, (_, i) => `c${i}`);
    for (const [index, client] of clients.entries()) await bench.node(index).add('room', member(client));
    await bench.made.settle();
    for (const node of bench.made.nodes) {
      const listed: string[] = [];
      for (let hasMore = true; hasMore;) {
        const page = await node.page('room', { after: listed.at(-1) ?? '', limit: 40 });
        assert.ok(page.members.length <= 40);
        listed.push(...page.members.map(({ client }) => client));
        hasMore = page.hasMore;
      }
      assert.deepEqual(listed, [...clients].sort());
    }
    assert.deepEqual(await bench.node(0).page('nowhere', { after: '', limit: 5 }), { members: [], hasMore: false });
  });

  it('calls that nobody awaits take effect in their order', async (bench) => {
    const node = bench.node(1);
    for (let i = 0; i < 100; i += 1) {
      void node.add('room', { ...member('a1'), chan_info: Buffer.from(String(i)) });
      if (i % 3 === 0) void node.remove('room', 'a1');
      void node.add('room', member(`b${i}`));
      void node.remove('room', `b${i}`);
    }
    // The hundredth was added and removed again: 99 is divisible by three.
    await bench.every((each) => clientsOf(each, 'room'), []);
    void node.remove('room', 'a1');
    void node.add('room', member('a1'));
    await bench.every((each) => clientsOf(each, 'room'), ['a1']);
  });

  it('a member that changes its user is counted under the new one alone', async (bench) => {
    await bench.node(0).add('room', member('c', 'ann'));
    await bench.node(0).add('room', member('c', 'bob'));
    await bench.every((node) => node.stats('room'), { clients: 1, users: 1 });
    await bench.every((node) => node.members('room'), [member('c', 'bob')]);
  });

  it('S12: names that mean something to objects are ordinary here', async (bench) => {
    for (const odd of ['__proto__', 'constructor', 'toString']) {
      await bench.node(1).add(odd, { user: odd, client: odd });
      await bench.every((node) => node.stats(odd), { clients: 1, users: 1 });
      await bench.every((node) => node.stats('other'), { clients: 0, users: 0 });
      await bench.node(1).remove(odd, odd);
      await bench.every((node) => node.members(odd), []);
    }
  });
}
