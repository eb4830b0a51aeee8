import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { OpenConnections } from './open-connections.ts';
import { Places } from './places.ts';

interface Link {
  readonly remoteAddress: string;
  isTerminated: boolean;
  terminate(): void;
}

function link(): Link {
  return {
    remoteAddress: '10.0.0.1',
    isTerminated: false,
    terminate() {
      this.isTerminated = true;
    },
  };
}

function scene(): { clock: VirtualClock; places: Places; connections: OpenConnections<Link> } {
  const clock = new VirtualClock();
  const places = new Places({ connectionsMax: 2, connectionsPerAddressMax: 2 });
  return { clock, places, connections: new OpenConnections<Link>(clock, 1_000, places) };
}

test('S20: a connection gives its place back once, however often it is told to be gone', () => {
  const { places, connections } = scene();
  const [one, two] = [link(), link()];
  for (const each of [one, two]) {
    places.take(each.remoteAddress);
    connections.add(each);
  }
  assert.equal(places.full('10.0.0.1'), 'connections');
  connections.delete(one);
  connections.delete(one);
  assert.equal(connections.size, 1);
  places.take('10.0.0.1');
  assert.equal(places.full('10.0.0.1'), 'connections');
});

test('one that is ending is terminated in time, one that is gone is not', () => {
  const { clock, connections } = scene();
  const [slow, quick] = [link(), link()];
  for (const each of [slow, quick]) {
    connections.add(each);
    connections.ending(each);
  }
  connections.delete(quick);
  clock.advance(1_001);
  assert.deepEqual([slow.isTerminated, quick.isTerminated], [true, false]);
});

test('empty is told when the last one is gone, and at once where there is none', async () => {
  const { connections } = scene();
  await connections.empty();
  const one = link();
  connections.add(one);
  let isEmpty = false;
  const waiting = connections.empty().then(() => (isEmpty = true));
  await Promise.resolve();
  assert.equal(isEmpty, false);
  connections.delete(one);
  await waiting;
});
