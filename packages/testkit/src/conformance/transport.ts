import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { disconnects } from '@tutti/protocol';
import type { ClosedReason } from '@tutti/server/internal';
import { eventually } from '../eventually.ts';
import {
  Bench,
  filled,
  frameOf,
  nextBytes,
  type Check,
  type Recorded,
  type TransportPeer,
  type TransportUnderTest,
} from './transport-bench.ts';
import { pressure } from './transport-pressure.ts';

export type { TransportPeer, TransportUnderTest } from './transport-bench.ts';

/**
 * What every transport promises, whatever it is made of. `create` gives a fresh one for each test,
 * not yet listening.
 */
export function transportConformance(name: string, create: () => Promise<TransportUnderTest>): void {
  const check: Check = (title, step) => {
    test(title, { timeout: 30_000 }, async (context: TestContext) => {
      const under = await create();
      context.after(() => under.dispose());
      const bench = new Bench(under);
      await step(bench);
      for (const node of bench.accepted) {
        assert.ok(node.reasons.length <= 1, 'closed comes once');
        assert.equal(node.calledAfterClosed, 0, 'nothing comes after closed');
      }
    });
  };
  describe(`transport conformance: ${name}`, () => {
    exchange(check);
    misuse(check);
    ending(check);
    pressure(check);
  });
}

function exchange(check: Check): void {
  check('carries frames both ways, unchanged and in order, with every codec', async (bench) => {
    for (const codec of bench.under.codecs) {
      const { peer, node } = await bench.open(codec);
      assert.equal(node.connection.codec.name, codec);
      assert.equal(node.connection.transport, bench.under.transport.name);
      assert.match(node.connection.remoteAddress, /^(127\.0\.0\.1|::1)$/);
      node.onReceive = (frame) => {
        node.connection.send([frameOf(Buffer.from(frame), node.connection)]);
      };
      const frames = [1, 125, 126, 127, 4_000, bench.under.frameBytesMax].map((size) => filled(size));
      for (const frame of frames) peer.send(frame);
      for (const frame of frames) assert.deepEqual(await nextBytes(peer), frame);
      assert.deepEqual(node.received, frames);
    }
  });

  check('frames handed over together arrive in order; sizes around every length form are kept', async (bench) => {
    const { peer, node } = await bench.open();
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 300_000, 2];
    node.connection.send(sizes.map((size) => frameOf(filled(size), node.connection)));
    node.connection.send([]);
    for (const size of sizes) assert.deepEqual(await nextBytes(peer), filled(size));
  });

  check('one frame is shared by many connections, and stays as it was', async (bench) => {
    const all: { peer: TransportPeer; node: Recorded }[] = [];
    for (let i = 0; i < 5; i++) all.push(await bench.open());
    const first = all[0]?.node.connection;
    assert.ok(first);
    const shared = frameOf(filled(500), first);
    for (const { node } of all) node.connection.send([shared]);
    const { wire, event, lines } = shared;
    assert.ok(wire ?? event ?? lines, 'framing is kept with the frame');
    for (const { node } of all) node.connection.send([shared, shared]);
    assert.ok(shared.wire === wire && shared.event === event && shared.lines === lines, 'framing is made once');
    for (const { peer } of all) {
      for (let i = 0; i < 3; i++) assert.deepEqual(await nextBytes(peer), filled(500));
    }
    assert.deepEqual(Buffer.from(shared.bytes), filled(500));
  });
}

function misuse(check: Check): void {
  check('S14, BP-1: a frame above the bound costs its own connection at most, and is never given on', async (bench) => {
    const bystander = await bench.open();
    const { peer, node } = await bench.open();
    peer.send(filled(bench.under.frameBytesMax + 1));
    if (bench.under.oversized === 'refused') {
      peer.send(filled(20));
      await eventually(() => node.received.length === 1, { what: 'the frame behind it' });
      assert.deepEqual(node.received, [filled(20)]);
      return;
    }
    await eventually(() => node.reasons.length === 1, { what: 'closed' });
    assert.equal(node.received.length, 0);
    assert.equal(node.reasons[0]?.byPeer, false);
    bystander.peer.send(filled(10));
    await eventually(() => bystander.node.received.length === 1, { what: 'the other connection' });
  });

  check('S23: a handler that throws costs its own connection only', async (bench) => {
    const bystander = await bench.open();
    const { peer, node } = await bench.open();
    node.onReceive = () => {
      throw new Error('a bug in a session');
    };
    peer.send(filled(10));
    const told = await peer.closedWith();
    assert.equal(told?.code, disconnects.internal.code);
    bystander.peer.send(filled(10));
    await eventually(() => bystander.node.received.length === 1, { what: 'the other connection' });
  });
}

// long on purpose: one flat list of the ways a connection ends
function ending(check: Check): void {
  check('close says why, after all that was sent before; nothing is sent or received afterwards', async (bench) => {
    const { peer, node } = await bench.open();
    const frames = Array.from({ length: 50 }, (_, i) => filled(1_000 + i));
    node.connection.send(frames.map((bytes) => frameOf(bytes, node.connection)));
    node.connection.close(disconnects.forceReconnect, 'come back, please');
    node.connection.send([frameOf(filled(3), node.connection)]);
    node.connection.close(disconnects.stale);
    peer.send(filled(9));
    for (const frame of frames) assert.deepEqual(await nextBytes(peer), frame);
    assert.deepEqual(await peer.closedWith(), { code: 3011, reason: 'come back, please' });
    peer.vanish();
    await eventually(() => node.reasons.length === 1, { what: 'closed' });
    assert.deepEqual(node.reasons, [{ code: 3011, reason: 'come back, please', byPeer: false }]);
    assert.equal(node.received.length, 0);
  });

  check(
    'the general reason is told where no other is given, and a long one is cut within no character',
    async (bench) => {
      const plain = await bench.open();
      plain.node.connection.close(disconnects.shutdown);
      assert.deepEqual(await plain.peer.closedWith(), { code: 3001, reason: 'shutdown' });
      const long = await bench.open();
      long.node.connection.close(disconnects.shutdown, 'é'.repeat(500));
      const told = await long.peer.closedWith();
      assert.match(told?.reason ?? '', /^é+$/);
    },
  );

  check('a connection may be ended while it is being accepted', async (bench) => {
    const reasons: ClosedReason[] = [];
    bench.under.transport.listen((connection) => {
      connection.close(disconnects.connectionLimit);
      return { receive() {}, confirmed() {}, closed: (reason) => void reasons.push(reason) };
    });
    const peer = await bench.under.connect(bench.under.codecs[0] ?? 'json');
    assert.equal((await peer.closedWith())?.code, 3504);
    peer.vanish();
    await eventually(() => reasons.length === 1, { what: 'closed' });
    assert.equal(reasons[0]?.code, 3504);
  });

  check('a peer that does not follow a close is terminated', async (bench) => {
    const { peer, node } = await bench.open();
    node.connection.close(disconnects.shutdown);
    // The peer neither answers nor ends: only the transport's own time-out can.
    await eventually(() => node.reasons.length === 1, { what: 'closed', withinMs: 20_000 });
    peer.vanish();
  });

  check('terminate ends at once; again, and after the end, it does nothing', async (bench) => {
    const { peer, node } = await bench.open();
    node.connection.terminate();
    node.connection.terminate();
    node.connection.send([frameOf(filled(3), node.connection)]);
    await eventually(() => node.reasons.length === 1, { what: 'closed' });
    assert.equal(node.reasons[0]?.byPeer, false);
    assert.equal(await peer.next(), undefined);
    node.connection.terminate();
    node.connection.close(disconnects.shutdown);
    node.connection.send([frameOf(filled(3), node.connection)]);
    assert.equal(node.reasons.length, 1);
  });

  check('a peer that closes, and one that vanishes, are told apart from us', async (bench) => {
    const closing = await bench.open();
    closing.peer.close(4_001, 'enough');
    await eventually(() => closing.node.reasons.length === 1, { what: 'closed after a close' });
    assert.equal(closing.node.reasons[0]?.byPeer, true);
    const vanishing = await bench.open();
    vanishing.peer.sendPart(filled(5));
    vanishing.peer.vanish();
    await eventually(() => vanishing.node.reasons.length === 1, { what: 'closed after a reset' });
    assert.equal(vanishing.node.reasons[0]?.byPeer, true);
    assert.equal(vanishing.node.received.length, 0);
  });

  check('a closed transport takes nobody in, and leaves open connections alone', async (bench) => {
    const { peer, node } = await bench.open();
    await bench.under.transport.close();
    await assert.rejects(bench.under.connect(bench.under.codecs[0] ?? 'json'));
    peer.send(filled(7));
    await eventually(() => node.received.length === 1, { what: 'a frame on the open connection' });
    node.connection.send([frameOf(filled(8), node.connection)]);
    assert.deepEqual(await nextBytes(peer), filled(8));
  });
}
