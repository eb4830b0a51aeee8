import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeTable } from './node-table.ts';

const options = { leaseMs: 10_000, succeededLeaseMs: 5_000, tickMs: 500 };
const peer = (name: string, incarnation = `${name}-1`): { name: string; incarnation: string } => ({
  name,
  incarnation,
});

/** A table whose time goes in whole ticks, as it does while nothing holds the process up. */
class Watched {
  readonly table = new NodeTable(options);
  nowMs = 0;

  constructor() {
    this.table.tick(0);
  }

  pass(ms: number): string[] {
    const gone: string[] = [];
    for (const until = this.nowMs + ms; this.nowMs < until;) {
      this.nowMs += options.tickMs;
      gone.push(...this.table.tick(this.nowMs).map(({ incarnation }) => incarnation));
    }
    return gone;
  }
}

test('PRE-4: a node that is silent for its lease is gone, one that speaks is not', () => {
  const watched = new Watched();
  assert.equal(watched.table.heard(peer('a')), 'new');
  assert.equal(watched.table.heard(peer('b')), 'new');
  assert.deepEqual(watched.pass(9_000), []);
  assert.equal(watched.table.heard(peer('a')), 'known');
  assert.deepEqual(watched.pass(2_000), ['b-1']);
  assert.deepEqual(watched.pass(9_000), ['a-1']);
  assert.equal(watched.table.heard(peer('a')), 'new', 'it may come back');
});

test('PRE-4: a process with the name of another makes that one gone sooner, unless it still speaks', () => {
  const watched = new Watched();
  watched.table.heard(peer('a', 'old'));
  watched.pass(1_000);
  watched.table.heard(peer('a', 'young'));
  assert.deepEqual(watched.pass(4_500), ['old']);
  assert.deepEqual(
    watched.table.named('a').map(({ incarnation }) => incarnation),
    ['young'],
  );

  const both = new Watched();
  both.table.heard(peer('a', 'old'));
  both.table.heard(peer('a', 'young'));
  for (let i = 0; i < 10; i += 1) {
    assert.deepEqual(both.pass(2_000), []);
    both.table.heard(peer('a', 'old'));
    both.table.heard(peer('a', 'young'));
  }
});

test('a node that was held up does not take all others for gone', () => {
  const watched = new Watched();
  watched.table.heard(peer('a'));
  watched.nowMs += 60_000;
  assert.deepEqual(watched.table.tick(watched.nowMs), []);
  assert.deepEqual(watched.pass(8_000), []);
  watched.table.heard(peer('a'));
  assert.deepEqual(watched.pass(9_000), []);
});

test('what comes late from a node that said good-bye does not bring it back', () => {
  const { table } = new Watched();
  table.heard(peer('a'));
  assert.equal(table.ended(peer('a')), true);
  assert.equal(table.ended(peer('a')), false);
  assert.equal(table.heard(peer('a')), 'ended');
  assert.equal(table.heard(peer('a', 'a-2')), 'new');
});

test('S25: nodes that a stranger makes up have a bound', () => {
  const { table } = new Watched();
  for (let i = 0; i < 1_000; i += 1) assert.equal(table.heard(peer(`n${i}`)), 'new');
  assert.equal(table.heard(peer('one-more')), 'full');
  assert.equal(table.heard(peer('n7')), 'known');
});
