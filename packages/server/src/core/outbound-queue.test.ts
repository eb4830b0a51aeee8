// long on purpose: one flat list of what connections that lag are given, on one scene
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Publication, Push } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import { openNamespace } from '@tutti/testkit/core-node';
import type { Namespace } from '../config/namespace.ts';
import type { Connection, OutboundFrame } from '../transport/transport.ts';
import { Batch } from './batch.ts';
import { OutboundQueue, type QueueBounds, type QueueOwner } from './outbound-queue.ts';

/** A peer that takes nothing by itself; `take` lets it. */
class StuckConnection implements Connection {
  readonly transport = 'stuck';
  readonly codec = jsonCodec;
  readonly remoteAddress = '';
  inFlight = 0;
  takesAtOnce = false;
  writes = 0;
  marks = 0;
  readonly pushes: Push[] = [];
  readonly controls: string[] = [];

  send(frames: readonly OutboundFrame[]): void {
    this.writes += 1;
    for (const { bytes } of frames) {
      if (!this.takesAtOnce) this.inFlight += bytes.length;
      if (bytes[0] === 'c'.charCodeAt(0)) this.controls.push(Buffer.from(bytes).toString().trim());
      else for (const reply of jsonCodec.decodeReplies(bytes)) if (reply.push) this.pushes.push(reply.push);
    }
  }
  mark(): void {
    this.marks += 1;
  }
  take(): void {
    this.inFlight = 0;
  }
  hold(): void {}
  close(): void {}
  terminate(): void {}
}

interface Scene {
  readonly connection: StuckConnection;
  readonly queue: OutboundQueue;
  readonly events: string[];
  intervalMs: number;
  /** Offsets that arrived in a channel. */
  offsets(channel: string): (number | undefined)[];
  drain(nowMs?: number): void;
}

function scene(bounds: Partial<QueueBounds> = {}): Scene {
  const connection = new StuckConnection();
  const events: string[] = [];
  const owner: QueueOwner = {
    intervalOf: () => made.intervalMs,
    fellBehind: (channel, offset) => void events.push(`${channel} fell behind at ${offset}`),
    tooSlow: () => void events.push('too slow'),
    skipped: (how, namespace, count) => void events.push(`${count} ${how} in ${namespace}`),
  };
  const queue = new OutboundQueue(connection, owner, { outboundBytesMax: 100_000, inFlightBytesMax: 1_000, ...bounds });
  const made: Scene = {
    connection,
    queue,
    events,
    intervalMs: 0,
    offsets: (channel) => connection.pushes.filter((push) => push.channel === channel).map((push) => push.pub?.offset),
    drain: (nowMs = 0) => {
      for (let i = 0; i < 10_000 && (queue.bytes > 0 || i === 0); i += 1) {
        connection.take();
        queue.confirmed(5, 0, nowMs);
        queue.flush(nowMs);
      }
    },
  };
  return made;
}

const everything = openNamespace('all', { historySize: 100 });
const latest = openNamespace('latest', { delivery: 'latest', historySize: 100 });
const byKey = openNamespace('keyed', { delivery: 'latest_by_key', historySize: 100 });

function batch(namespace: Namespace, publications: Partial<Publication>[], bytes = 100): Batch {
  const name = `${namespace.name}:x`;
  const data = Buffer.from(JSON.stringify('.'.repeat(bytes)));
  return new Batch(
    { name, namespace },
    publications.map((publication) => ({ channel: name, pub: { data, ...publication } })),
  );
}

/** One batch a publication, as live ones come. */
function publish(on: Scene, namespace: Namespace, publications: Partial<Publication>[], bytes = 100): void {
  for (const publication of publications) on.queue.deliver(batch(namespace, [publication], bytes));
}

function numbered(
  from: number,
  to: number,
  more: (offset: number) => Partial<Publication> = () => ({}),
): Partial<Publication>[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({ offset: from + i, ...more(from + i) }));
}

function control(name: string): OutboundFrame {
  return { bytes: Buffer.from(`c-${name}`), binary: false };
}

test('what waits leaves together, in one write and in order', () => {
  const on = scene({ inFlightBytesMax: 100_000 });
  publish(on, everything, numbered(1, 5));
  on.queue.push(control('a'));
  on.queue.flush(0);
  assert.equal(on.connection.writes, 1);
  assert.deepEqual(on.offsets('all:x'), [1, 2, 3, 4, 5]);
  assert.equal(on.queue.bytes, 0);
});

test('frames are shared: a connection that does not lag hands over the very bytes of the batch', () => {
  const sent: OutboundFrame[] = [];
  const shared = batch(everything, numbered(1, 3));
  for (let i = 0; i < 2; i += 1) {
    const on = scene({ inFlightBytesMax: 100_000 });
    on.connection.send = (frames): void => void sent.push(...frames);
    on.queue.deliver(shared);
    on.queue.flush(0);
  }
  assert.equal(sent.length, 2);
  assert.equal(sent[0], sent[1]);
});

test('BP-2: no more than the window and one turn is with the peer; the rest waits', () => {
  const on = scene();
  publish(on, everything, numbered(1, 100));
  on.queue.flush(0);
  assert.ok(on.connection.inFlight <= 1_000 + 8 * 1_024, `${on.connection.inFlight} bytes`);
  assert.equal(on.queue.flush(0), 0, 'nothing more while the peer takes nothing');
  assert.ok(on.queue.isLagging);
  on.drain();
  assert.deepEqual(
    on.offsets('all:x'),
    numbered(1, 100).map((publication) => publication.offset),
  );
  assert.equal(on.queue.isLagging, false);
});

test('BP-2: marks follow what is sent, several to a window', () => {
  const on = scene({ inFlightBytesMax: 64 * 1024, outboundBytesMax: 1_000_000 });
  publish(on, everything, numbered(1, 2_000));
  on.queue.flush(0);
  assert.ok(on.connection.marks >= 3, `${on.connection.marks} marks`);
});

test('a transport that takes everything at once is given everything at once', () => {
  const on = scene();
  on.connection.takesAtOnce = true;
  publish(on, everything, numbered(1, 100));
  on.queue.flush(0);
  assert.equal(on.queue.bytes, 0);
  assert.equal(on.offsets('all:x').length, 100);
});

test('BP-3: nothing is conflated for a connection that keeps up', () => {
  const on = scene();
  for (const publication of numbered(1, 50)) {
    publish(on, latest, [publication]);
    on.queue.flush(0);
    on.connection.take();
  }
  assert.deepEqual(
    on.offsets('latest:x'),
    numbered(1, 50).map((publication) => publication.offset),
  );
  assert.deepEqual(on.events, []);
});

test('BP-3: latest: of what waits only the newest and the final ones are sent, in order, marked with what was skipped', () => {
  const on = scene();
  publish(on, latest, numbered(1, 20));
  on.queue.flush(0);
  const sentAtFirst = on.offsets('latest:x').length;
  publish(
    on,
    latest,
    numbered(21, 60, (offset) => (offset === 30 || offset === 31 ? { final: true } : {})),
  );
  on.drain();
  const offsets = on.offsets('latest:x');
  assert.deepEqual(offsets.slice(sentAtFirst), [30, 31, 60]);
  let before = 0;
  for (const { pub } of on.connection.pushes) {
    assert.equal((pub?.offset ?? 0) - before - 1, pub?.skipped ?? 0, `the jump to ${pub?.offset} is told`);
    before = pub?.offset ?? 0;
  }
  assert.ok(
    on.events.every((event) => /conflated in latest/.test(event)),
    String(on.events),
  );
});

test('BP-3: what comes while the window is full is conflated as it comes, not when the window opens', () => {
  const on = scene();
  for (const publication of numbered(1, 400)) {
    publish(on, latest, [publication]);
    on.queue.flush(0);
  }
  assert.ok(on.queue.isLagging);
  assert.ok(on.queue.bytes < 2_000, `${on.queue.bytes} bytes wait`);
  on.drain();
  assert.equal(on.offsets('latest:x').at(-1), 400);
});

test('BP-3: latest_by_key: the newest of each key, never back in offset, every jump told', () => {
  const on = scene();
  const keys = ['A', 'B', 'C'];
  publish(
    on,
    byKey,
    numbered(1, 90, (offset) => ({ key: keys[offset % 3] ?? '' })),
  );
  on.queue.flush(0);
  publish(
    on,
    byKey,
    numbered(91, 200, (offset) => ({ key: keys[offset % 3] ?? '' })),
  );
  on.drain();
  const offsets = on.offsets('keyed:x').map(Number);
  assert.deepEqual(offsets.slice(-3), [198, 199, 200]);
  assert.deepEqual(
    offsets,
    [...offsets].sort((a, b) => a - b),
  );
  let before = 0;
  for (const { pub } of on.connection.pushes) {
    assert.equal((pub?.offset ?? 0) - before - 1, pub?.skipped ?? 0);
    before = pub?.offset ?? 0;
  }
});

test('BP-3: a newer value does not take the place of a final one of its key', () => {
  const on = scene();
  publish(on, everything, numbered(1, 400));
  on.queue.flush(0);
  assert.ok(on.queue.isLagging);
  publish(on, byKey, [
    { offset: 41, key: 'order', final: true },
    { offset: 42, key: 'order' },
    { offset: 43, key: 'order' },
  ]);
  on.drain();
  assert.deepEqual(on.offsets('keyed:x'), [41, 43]);
});

test('BP-4: all with a log: beyond the bound of a lane its connection goes on from the log, where it stopped', () => {
  const on = scene({ outboundBytesMax: 5_000_000 });
  publish(on, everything, numbered(1, 2_000), 1_000);
  on.queue.flush(0);
  const sent = on.offsets('all:x').length;
  assert.deepEqual(on.events, [`all:x fell behind at ${sent}`]);
  assert.ok(on.queue.bytes < 600_000);
  on.drain();
  assert.deepEqual(
    on.offsets('all:x'),
    numbered(1, sent).map((publication) => publication.offset),
    'nothing of the line after it',
  );
});

test('BP-4: without a log, disconnect ends the connection at the bound', () => {
  const on = scene();
  publish(
    on,
    openNamespace('plain', { overflow: 'auto' }),
    Array.from({ length: 200 }, () => ({})),
    1_000,
  );
  assert.ok(on.events.includes('too slow'));
});

test('BP-4, BP-6: drop leaves out the oldest, keeps final ones, and says how many', () => {
  const on = scene();
  const dropping = openNamespace('drop', { overflow: 'drop' });
  publish(on, dropping, [{ key: 'first', final: true }], 1_000);
  publish(
    on,
    dropping,
    Array.from({ length: 300 }, (_, i) => ({ key: String(i) })),
    1_000,
  );
  assert.ok(on.queue.bytes <= 100_000);
  const dropped = on.events.map((event) => Number(/^(\d+) dropped/.exec(event)?.[1] ?? NaN));
  const total = dropped.reduce((sum, count) => sum + count, 0);
  assert.ok(total > 100, `${total} dropped`);
  on.drain();
  const keys = on.connection.pushes.map((push) => push.pub?.key);
  assert.ok(keys.includes('first'));
  assert.equal(keys.at(-1), '299');
  assert.equal(on.connection.pushes.length, 301 - total);
  assert.equal(
    on.connection.pushes.reduce((sum, push) => sum + (push.pub?.skipped ?? 0), 0),
    total,
  );
});

for (const delivery of ['all', 'latest_by_key'] as const) {
  test(`BP-6: ${delivery} without history: what is left out on both sides of a final one is told where it is missing`, () => {
    const on = scene({ outboundBytesMax: 20_000 });
    const namespace = openNamespace('bare', { delivery, overflow: 'drop' });
    const numberedData = (number: number): Partial<Publication> => ({
      data: Buffer.from(JSON.stringify({ number, padding: '.'.repeat(200) })),
      key: `k${number % 5}`,
      ...(number % 40 === 0 ? { final: true } : {}),
    });
    for (let number = 1; number <= 400; number += 1) publish(on, namespace, [numberedData(number)]);
    on.drain();
    let last = 0;
    let skipped = 0;
    for (const { pub } of on.connection.pushes) {
      assert.ok(pub !== undefined);
      const { number } = JSON.parse(Buffer.from(pub.data).toString()) as { number: number };
      assert.equal(pub.skipped ?? 0, number - last - 1, `before ${number}`);
      skipped += pub.skipped ?? 0;
      last = number;
    }
    assert.equal(last, 400);
    assert.ok(skipped > 100, `${skipped} were left out`);
  });
}

test('BP-4: the largest lane yields, and the others keep what they have', () => {
  const on = scene({ outboundBytesMax: 60_000 });
  publish(on, everything, numbered(1, 20), 100);
  on.queue.flush(0);
  publish(on, everything, numbered(21, 40), 100);
  publish(
    on,
    openNamespace('flood', { overflow: 'drop' }),
    Array.from({ length: 200 }, () => ({})),
    1_000,
  );
  on.drain();
  assert.deepEqual(
    on.offsets('all:x'),
    numbered(1, 40).map((publication) => publication.offset),
  );
  assert.ok(
    on.events.every((event) => /dropped in flood/.test(event)),
    String(on.events),
  );
});

test('BP-5: a flooded channel and a quiet one take turns, and control goes before both', () => {
  const on = scene({ outboundBytesMax: 50_000_000 });
  publish(
    on,
    openNamespace('flood', {}),
    Array.from({ length: 2_000 }, () => ({})),
    1_000,
  );
  on.queue.flush(0);
  publish(on, everything, numbered(1, 3));
  on.queue.push(control('answer'));
  on.connection.pushes.length = 0;
  for (let turn = 0; turn < 5; turn += 1) {
    on.connection.take();
    on.queue.flush(0);
  }
  assert.deepEqual(on.connection.controls, ['c-answer']);
  assert.deepEqual(on.offsets('all:x'), [1, 2, 3]);
  assert.ok(on.offsets('flood:x').length < 50);
});

test('BP-5: a channel that had nothing waiting has the next turn, however much others have waiting', () => {
  const on = scene({ inFlightBytesMax: 64 * 1024, outboundBytesMax: 1_000_000 });
  const [flood, other, chat] = ['flood', 'other', 'chat'].map((name) => openNamespace(name, { historySize: 100 }));
  assert.ok(flood && other && chat);
  publish(on, flood, numbered(1, 500), 1_000);
  publish(on, other, numbered(1, 500), 1_000);
  on.queue.flush(0);
  publish(on, chat, numbered(1, 1), 100);
  const before = on.connection.pushes.length;
  on.connection.take();
  on.queue.flush(0);
  assert.equal(on.connection.pushes[before]?.channel, 'chat:x');
});

test('BP-5: a flood in small pieces has no more of the connection than another flood', () => {
  const on = scene({ inFlightBytesMax: 64 * 1024, outboundBytesMax: 10_000_000 });
  const [flood, pieces] = ['flood', 'pieces'].map((name) => openNamespace(name));
  assert.ok(flood && pieces);
  publish(on, flood, numbered(1, 3_000), 1_000);
  on.queue.flush(0);
  const before = on.connection.pushes.length;
  for (let i = 0; i < 200; i += 1) {
    publish(on, pieces, numbered(4 * i + 1, 4 * i + 4), 1_000);
    on.connection.take();
    on.queue.flush(0);
  }
  const sent = on.connection.pushes.slice(before);
  const ofFlood = sent.filter((push) => push.channel === 'flood:x').length;
  assert.ok(ofFlood > sent.length / 3, `${ofFlood} of ${sent.length}`);
});

test('BP-1: what waits never exceeds the bound by more than one batch, whatever comes', () => {
  for (const overflow of ['drop', 'disconnect'] as const) {
    const on = scene({ outboundBytesMax: 20_000 });
    for (let i = 0; i < 500 && !on.events.includes('too slow'); i += 1) {
      on.queue.deliver(batch(openNamespace('x', { overflow }), [{}, {}], 500));
      assert.ok(on.queue.bytes <= 20_000 + 1_300, `${on.queue.bytes} bytes`);
      on.queue.flush(0);
    }
  }
});

test('an interval: at most one update of each key within it, the newest, and the first at once', () => {
  const on = scene();
  on.intervalMs = 1_000;
  on.connection.takesAtOnce = true;
  const seen: (number | undefined)[][] = [];
  for (let nowMs = 0; nowMs < 3_000; nowMs += 100) {
    publish(on, everything, [{ offset: nowMs / 100 + 1, key: 'A' }]);
    on.connection.pushes.length = 0;
    on.queue.flush(nowMs);
    if (on.connection.pushes.length > 0) seen.push([nowMs, ...on.offsets('all:x')]);
  }
  assert.deepEqual(seen, [
    [0, 1],
    [1_000, 11],
    [2_000, 21],
  ]);
  assert.equal(on.queue.dueIn(2_900), 100, 'the last value is not forgotten');
  on.queue.flush(3_000);
  assert.equal(on.offsets('all:x').at(-1), 30);
  assert.equal(on.queue.isLagging, false);
});

test('an interval that ends lets what waits go at once, and the channel is in the common line again', () => {
  const on = scene();
  on.connection.takesAtOnce = true;
  on.intervalMs = 60_000;
  publish(on, everything, numbered(1, 1));
  on.queue.flush(0);
  publish(on, everything, numbered(2, 4));
  on.queue.flush(10);
  assert.deepEqual(on.offsets('all:x'), [1]);
  on.intervalMs = 0;
  on.queue.intervalChanged('all:x');
  on.queue.flush(20);
  publish(on, everything, numbered(5, 6));
  on.queue.flush(30);
  assert.deepEqual(on.offsets('all:x'), [1, 4, 5, 6]);
});

test('a lane that is dropped sends nothing more, and its bytes are given back', () => {
  const on = scene();
  publish(on, everything, numbered(1, 100));
  on.queue.flush(0);
  const sent = on.offsets('all:x').length;
  on.queue.drop('all:x');
  assert.equal(on.queue.bytes, 0);
  assert.equal(on.queue.isLagging, false);
  on.drain();
  assert.equal(on.offsets('all:x').length, sent);
});

test('BP-3: an interval that begins while older values wait never lets one of them be the last', () => {
  const on = scene();
  publish(
    on,
    everything,
    numbered(1, 3, () => ({ key: 'A' })),
  );
  on.intervalMs = 1_000;
  on.queue.intervalChanged('all:x');
  publish(on, everything, [{ offset: 4, key: 'A' }]);
  on.queue.flush(0);
  on.drain(0);
  on.drain(1_000);
  assert.equal(on.offsets('all:x').at(-1), 4);
  assert.deepEqual(
    on.offsets('all:x'),
    [...on.offsets('all:x')].sort((a, b) => Number(a) - Number(b)),
  );
});

test('a lane that is due while the window is full waits for the peer, not for time', () => {
  const on = scene();
  on.intervalMs = 100;
  publish(
    on,
    openNamespace('plain', {}),
    Array.from({ length: 50 }, (_, i) => ({ key: String(i) })),
  );
  on.queue.flush(0);
  publish(
    on,
    everything,
    numbered(1, 50, (offset) => ({ key: String(offset) })),
  );
  on.queue.flush(0);
  assert.ok(on.connection.inFlight >= 1_000);
  assert.equal(on.queue.dueIn(10_000), Infinity);
});

test('BP-4: what comes from the log is not given up for its length, and one large publication stays', () => {
  const on = scene({ outboundBytesMax: 5_000_000 });
  publish(on, everything, numbered(1, 50));
  on.queue.flush(0);
  const name = 'all:x';
  const data = Buffer.from(JSON.stringify('.'.repeat(700_000)));
  on.queue.deliver(new Batch({ name, namespace: everything }, [{ channel: name, pub: { data, offset: 51 } }], true));
  assert.deepEqual(on.events, []);
  on.drain();
  assert.equal(on.offsets(name).at(-1), 51);
});

test('what waits of a channel that is left is gone, from the line as well', () => {
  const on = scene({ inFlightBytesMax: 100_000 });
  publish(on, everything, numbered(1, 3));
  publish(on, latest, numbered(1, 1));
  on.queue.drop('all:x');
  on.queue.flush(0);
  assert.deepEqual(on.offsets('all:x'), []);
  assert.deepEqual(on.offsets('latest:x'), [1]);
  assert.equal(on.queue.bytes, 0);
});
