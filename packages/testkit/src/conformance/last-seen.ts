import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  seenChangesMax,
  seenReadMax,
  type LastSeen,
  type SeenChange,
  type SeenEntry,
  type UserName,
} from '@tutti/server/internal';

export interface LastSeenUnderTest {
  /** Not started. */
  readonly store: LastSeen;
  /** Another node's view of the same, not started; absent where the implementation is one process's. */
  readonly other?: LastSeen;
  /** Wall time, as the store sees it. */
  now(): number;
  /** Absent where the store takes its time from elsewhere. */
  advance?(ms: number): void;
  dispose(): Promise<void>;
}

export interface LastSeenConformanceOptions {
  /** What it was made with: `usersMax` is at least 600. */
  readonly ttlMs: number;
  readonly usersMax: number;
  /** It may keep a few more, which something else needs the room for. */
  readonly usersBeyond?: number;
}

const hour = 3_600_000;
/** Longer than any node of a cluster is silent and comes back. */
const longMs = 2 * hour;

/** What every store of last seen promises; `create` makes an empty one. */
export function lastSeenConformance(
  name: string,
  create: () => Promise<LastSeenUnderTest>,
  options: LastSeenConformanceOptions,
): void {
  const it = (title: string, body: (made: LastSeenUnderTest) => Promise<void>): void => {
    test(`${title} [${name}]`, async () => {
      const made = await create();
      try {
        await made.store.start();
        await made.other?.start();
        await body(made);
      } finally {
        await made.store.close();
        await made.other?.close();
        await made.dispose();
      }
    });
  };

  it('PRE-2: who left has the moment; who came is at the node, that lives since', async ({ store, now }) => {
    const at = now();
    await store.write({ node: 'n1', aliveAtMs: at, changes: [came('ann', at), left('bob', at - 5)] });
    assert.deepEqual(await read(store, 'ann', 'bob', 'nobody'), [
      { atMs: at, nodes: [{ node: 'n1', aliveAtMs: at }] },
      { atMs: at - 5, nodes: [] },
      undefined,
    ]);
    await store.write({ node: 'n1', aliveAtMs: at + 10, changes: [] });
    assert.deepEqual(await read(store, 'ann'), [{ atMs: at, nodes: [{ node: 'n1', aliveAtMs: at + 10 }] }]);
    await store.write({ node: 'n1', aliveAtMs: at + 20, changes: [left('ann', at + 20)] });
    assert.deepEqual(await read(store, 'ann'), [{ atMs: at + 20, nodes: [] }]);
  });

  it('PRE-2: the later moment wins, whoever writes first', async ({ store, now }) => {
    const at = now();
    await store.write({ node: 'n1', aliveAtMs: at, changes: [left('ann', at)] });
    await store.write({ node: 'n2', aliveAtMs: at, changes: [left('ann', at - hour)] });
    assert.deepEqual(await read(store, 'ann'), [{ atMs: at, nodes: [] }]);
    await store.write({ node: 'n2', aliveAtMs: at, changes: [left('ann', at + 1)] });
    assert.deepEqual(await read(store, 'ann'), [{ atMs: at + 1, nodes: [] }]);
  });

  it('PRE-2: a user on two nodes leaves one of them, and is still on the other', async ({ store, now }) => {
    const at = now();
    await store.write({ node: 'n1', aliveAtMs: at, changes: [came('ann', at)] });
    await store.write({ node: 'n2', aliveAtMs: at + 1, changes: [came('ann', at + 1)] });
    const [both] = await read(store, 'ann');
    assert.deepEqual(both?.nodes.map(({ node }) => node).sort(), ['n1', 'n2']);
    await store.write({ node: 'n2', aliveAtMs: at + 2, changes: [left('ann', at + 2)] });
    assert.deepEqual(await read(store, 'ann'), [{ atMs: at + 2, nodes: [{ node: 'n1', aliveAtMs: at }] }]);
  });

  it('PRE-2: of a node that is long silent the moment stays, and the node is forgotten', async ({ store, now }) => {
    const at = now();
    await store.write({ node: 'dead', aliveAtMs: at - longMs, changes: [came('ann', at - longMs - 5)] });
    assert.deepEqual(await read(store, 'ann'), [
      { atMs: at - longMs - 5, nodes: [{ node: 'dead', aliveAtMs: at - longMs }] },
    ]);
    await store.write({ node: 'n1', aliveAtMs: at, changes: [left('ann', at - 2 * longMs)] });
    assert.deepEqual(await read(store, 'ann'), [{ atMs: at - longMs, nodes: [] }]);
  });

  it('S11: the same name in another tenant is another user, and may be any text', async ({ store, now }) => {
    const users = ['x', '__proto__', 'a\nb', 'a b', "it's; --", 'ä€😀', '*', '>', 'x'.repeat(1_024)].flatMap((user) =>
      ['', 'acme', 'rival'].map((tenant) => ({ tenant, user })),
    );
    const at = now();
    const changes = users.map((user, i): SeenChange => ({ ...user, isHere: i % 2 === 0, atMs: at - i }));
    await store.write({ node: 'n-_1', aliveAtMs: at, changes });
    const entries = await store.read(users);
    assert.deepEqual(
      entries.map((entry) => entry?.atMs),
      users.map((_, i) => at - i),
    );
    assert.deepEqual(
      entries.map((entry) => entry?.nodes.length),
      users.map((_, i) => (i % 2 === 0 ? 1 : 0)),
    );
  });

  it('PRE-2: a user is forgotten on request, in that tenant, and is kept anew', async ({ store, now }) => {
    const at = now();
    const acme = { ...left('ann', at), tenant: 'acme' };
    await store.write({ node: 'n1', aliveAtMs: at, changes: [left('ann', at), acme, left('bob', at)] });
    await store.forget({ tenant: '', user: 'ann' });
    await store.forget({ tenant: '', user: 'nobody' });
    assert.deepEqual(await read(store, 'ann', 'bob'), [undefined, { atMs: at, nodes: [] }]);
    assert.deepEqual(await store.read([{ tenant: 'acme', user: 'ann' }]), [{ atMs: at, nodes: [] }]);
    await store.write({ node: 'n1', aliveAtMs: at, changes: [left('ann', at - hour)] });
    assert.deepEqual(await read(store, 'ann'), [{ atMs: at - hour, nodes: [] }]);
  });

  it('PRE-2: as many in one write, and in one read, as may be', async ({ store, now }) => {
    const names = Array.from({ length: seenChangesMax }, (_, i) => `u${i}`);
    const at = now();
    await store.write({ node: 'n1', aliveAtMs: at, changes: names.map((user) => came(user, at)) });
    await store.write({ node: 'n1', aliveAtMs: at, changes: names.map((user, i) => left(user, at + i)) });
    const asked = Array.from({ length: seenReadMax }, (_, i) => `u${i}`);
    const entries = await read(store, ...asked);
    assert.deepEqual(
      entries.map((entry) => entry?.atMs),
      asked.map((_, i) => (i < seenChangesMax ? at + i : undefined)),
    );
  });

  it('PRE-2: nodes that write of the same users at once undo nothing of each other', async (made) => {
    const { store, other, now } = made;
    if (other === undefined) return;
    const at = now();
    const names = Array.from({ length: 40 }, (_, i) => `u${i}`);
    await Promise.all(
      [store, other].flatMap((each, node) =>
        [0, 1, 2].map((round) =>
          each.write({
            node: `n${node}${round}`,
            aliveAtMs: at,
            changes: names.map((user) => came(user, at + 10 * node + round)),
          }),
        ),
      ),
    );
    for (const entry of await read(other, ...names)) {
      assert.equal(entry?.atMs, at + 12);
      assert.deepEqual(entry.nodes.map(({ node }) => node).sort(), ['n00', 'n01', 'n02', 'n10', 'n11', 'n12']);
    }
  });

  it('PRE-2: what one node wrote another reads, and forgets', async ({ store, other, now }) => {
    if (other === undefined) return;
    const at = now();
    await store.write({ node: 'n1', aliveAtMs: at, changes: [came('ann', at)] });
    assert.deepEqual(await read(other, 'ann'), [{ atMs: at, nodes: [{ node: 'n1', aliveAtMs: at }] }]);
    await other.forget({ tenant: '', user: 'ann' });
    assert.deepEqual(await read(store, 'ann'), [undefined]);
  });

  it('PRE-2: after its time a user is forgotten; who is written again is not', async (made) => {
    const { store, now, advance } = made;
    if (advance === undefined) return;
    const at = now();
    await store.write({ node: 'n1', aliveAtMs: at, changes: [left('ann', at), left('bob', at)] });
    advance(options.ttlMs / 2);
    await store.write({ node: 'n1', aliveAtMs: now(), changes: [left('bob', at)] });
    advance(options.ttlMs / 2 + 1);
    assert.deepEqual(await read(store, 'ann', 'bob'), [undefined, { atMs: at, nodes: [] }]);
    await store.write({ node: 'n1', aliveAtMs: now(), changes: [] });
    assert.deepEqual(await read(store, 'ann', 'bob'), [undefined, { atMs: at, nodes: [] }]);
  });

  it('S34: there is a most of users; those written longest ago go first', async ({ store, now, advance }) => {
    const { usersMax, usersBeyond = 0 } = options;
    const at = now();
    const count = usersMax + usersBeyond;
    const oldest = Array.from({ length: 50 }, (_, i) => `old${i}`);
    await store.write({ node: 'n1', aliveAtMs: at, changes: oldest.map((user) => left(user, at)) });
    advance?.(1);
    for (let first = 0; first < count; first += seenChangesMax) {
      const names = Array.from({ length: Math.min(seenChangesMax, count - first) }, (_, i) => `u${first + i}`);
      await store.write({ node: 'n1', aliveAtMs: at, changes: names.map((user) => left(user, at)) });
      advance?.(1);
    }
    assert.ok((await read(store, ...oldest)).every((entry) => entry === undefined));
    const newest = await read(store, ...Array.from({ length: 50 }, (_, i) => `u${count - 1 - i}`));
    assert.ok(newest.every((entry) => entry?.atMs === at));
  });
}

function came(user: string, atMs: number): SeenChange {
  return { tenant: '', user, isHere: true, atMs };
}

function left(user: string, atMs: number): SeenChange {
  return { tenant: '', user, isHere: false, atMs };
}

function read(store: LastSeen, ...users: readonly string[]): Promise<readonly (SeenEntry | undefined)[]> {
  return store.read(users.map((user): UserName => ({ tenant: '', user })));
}
