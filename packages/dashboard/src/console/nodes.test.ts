import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Nodes } from './nodes.ts';
import { readStats, type NodeStats } from './stats.ts';

function sample(node: string, seconds: number, connections = 0): NodeStats {
  const stats = readStats({ node, time: seconds * 1_000, connections }, 0);
  assert.ok(stats);
  return stats;
}

test('each node has a series of its own, whatever the order in which they speak', () => {
  let nodes = new Nodes();
  for (let second = 1; second <= 5; second += 1) {
    for (const [i, node] of ['b', 'a', 'c'].entries()) nodes = nodes.with(sample(node, second, 10 * i + second));
  }
  assert.deepEqual(
    nodes.latest.map(({ node, connections }) => [node, connections]),
    [
      ['a', 15],
      ['b', 5],
      ['c', 25],
    ],
  );
  assert.deepEqual(
    nodes.of('b').map(({ connections }) => connections),
    [1, 2, 3, 4, 5],
  );
});

test('a node that is silent leaves; whoever looked at it sees the first that is there', () => {
  let nodes = new Nodes().with(sample('b', 1)).with(sample('c', 1));
  for (let second = 2; second <= 20; second += 1) nodes = nodes.with(sample('c', second));
  assert.deepEqual(
    nodes.latest.map(({ node }) => node),
    ['c'],
  );
  assert.equal(nodes.of('b').at(-1)?.node, 'c');
  assert.deepEqual(new Nodes().of('b'), []);
});

test('a stranger who may publish figures cannot make the table grow without bound', () => {
  let nodes = new Nodes();
  for (let i = 0; i < 1_000; i += 1) nodes = nodes.with(sample(`n${i}`, 1));
  assert.ok(nodes.latest.length <= 64);
});
