import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { disconnects, type Codec } from '@tutti/protocol';
import type { ClosedReason, Connection, ConnectionHandler, OutboundFrame, Transport } from '@tutti/server/internal';
import { eventually } from '../eventually.ts';

/** The other end of a connection, as the suite needs it. */
export interface TransportPeer {
  /** One whole frame of the connection's codec. */
  send(frame: Uint8Array): void;
  /** Begins a frame and never finishes it. */
  sendPart(bytes: Uint8Array): void;
  /** The payload of the next frame; undefined once the connection has ended. */
  next(): Promise<Uint8Array | undefined>;
  /** Why the node ended it, where the transport can say; reads on to that. */
  closedWith(): Promise<{ code: number; reason: string } | undefined>;
  /** Ends it properly, with a code where the transport has such. */
  close(code: number, reason: string): void;
  /** Is gone, without a word. */
  vanish(): void;
  pause(): void;
  resume(): void;
}

export interface TransportUnderTest {
  readonly transport: Transport;
  readonly codecs: readonly Codec['name'][];
  /** Largest frame it lets in; the suite sends one more. */
  readonly frameBytesMax: number;
  /** What comes of a frame above that: by default the connection ends; `refused`: the frame alone. */
  readonly oversized?: 'refused';
  /** Rejects where the node does not take the connection. */
  connect(codec: Codec['name']): Promise<TransportPeer>;
  /** Ends all that `create` began. */
  dispose(): Promise<void>;
}

/** A connection as the transport handed it over, and all it has told. */
class Recorded implements ConnectionHandler {
  readonly connection: Connection;
  readonly received: Buffer[] = [];
  readonly reasons: ClosedReason[] = [];
  /** Round trips of the marks that came back. */
  readonly confirmations: (number | undefined)[] = [];
  calledAfterClosed = 0;
  onReceive: (frame: Uint8Array) => void = () => {};

  constructor(connection: Connection) {
    this.connection = connection;
  }

  receive(frame: Uint8Array): void {
    this.#note();
    // A copy, as a codec makes one: the bytes belong to the transport again when this returns.
    this.received.push(Buffer.from(frame));
    this.onReceive(frame);
  }

  confirmed(roundTripMs: number | undefined): void {
    this.#note();
    this.confirmations.push(roundTripMs);
  }

  closed(reason: ClosedReason): void {
    this.reasons.push(reason);
  }

  #note(): void {
    if (this.reasons.length > 0) this.calledAfterClosed++;
  }
}

class Bench {
  readonly under: TransportUnderTest;
  readonly accepted: Recorded[] = [];

  constructor(under: TransportUnderTest) {
    this.under = under;
    under.transport.listen((connection) => {
      const recorded = new Recorded(connection);
      this.accepted.push(recorded);
      return recorded;
    });
  }

  async open(codec = this.under.codecs[0] ?? 'json'): Promise<{ peer: TransportPeer; node: Recorded }> {
    const before = this.accepted.length;
    const peer = await this.under.connect(codec);
    await eventually(() => this.accepted.length > before, { what: 'the connection' });
    const node = this.accepted[before];
    assert.ok(node);
    return { peer, node };
  }
}

type Step = (bench: Bench) => Promise<void>;

/**
 * What every transport promises, whatever it is made of. `create` gives a fresh one for each test,
 * not yet listening.
 */
export function transportConformance(name: string, create: () => Promise<TransportUnderTest>): void {
  const check = (title: string, step: Step): void => {
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

function exchange(check: (title: string, step: Step) => void): void {
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

function misuse(check: (title: string, step: Step) => void): void {
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
function ending(check: (title: string, step: Step) => void): void {
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

function pressure(check: (title: string, step: Step) => void): void {
  const chunk = 64 * 1024;
  /** Far more than the kernel's buffers of a loopback connection take. */
  const chunksMax = 1_000;

  /** Sends until much waits; returns how many frames that were. */
  const congest = (node: Recorded): number => {
    let sent = 0;
    while (node.connection.inFlight < 16 * chunk && sent < chunksMax) {
      node.connection.send([frameOf(filled(chunk), node.connection)]);
      sent++;
    }
    assert.ok(sent < chunksMax, 'inFlight grows while the peer does not read');
    return sent;
  };

  check(
    'BP-2: inFlight grows while the peer does not read, and marks are confirmed when it has, in order',
    async (bench) => {
      const { peer, node } = await bench.open();
      assert.equal(node.connection.inFlight, 0);
      peer.pause();
      const sent = congest(node);
      node.connection.mark();
      assert.deepEqual(node.confirmations, []);
      const before = node.connection.inFlight;
      assert.ok(before >= chunk, `${before} bytes in flight`);
      peer.resume();
      for (let i = 0; i < sent; i++) assert.equal((await nextBytes(peer)).length, chunk);
      await eventually(() => node.confirmations.length > 0, { what: 'confirmed' });
      assert.equal(node.connection.inFlight, 0);
      peer.pause();
      congest(node);
      node.connection.mark();
      const confirmedBefore = node.confirmations.length;
      peer.resume();
      await eventually(() => node.confirmations.length > confirmedBefore, { what: 'confirmed, again' });
    },
  );

  check('BP-5: a peer that does not read does not hold up another', async (bench) => {
    const slow = await bench.open();
    const quick = await bench.open();
    slow.peer.pause();
    congest(slow.node);
    for (let i = 0; i < 100; i++) {
      quick.node.connection.send([frameOf(filled(100), quick.node.connection)]);
      assert.equal((await nextBytes(quick.peer)).length, 100);
    }
    slow.node.connection.terminate();
    await eventually(() => slow.node.reasons.length === 1, { what: 'closed' });
    assert.deepEqual(slow.node.confirmations, [], 'an end confirms nothing');
  });

  check('BP-1: a peer that does not read is terminated after close, with what waited', async (bench) => {
    const { peer, node } = await bench.open();
    peer.pause();
    congest(node);
    node.connection.close(disconnects.slow);
    await eventually(() => node.reasons.length === 1, { what: 'closed', withinMs: 20_000 });
    assert.equal(node.reasons[0]?.code, disconnects.slow.code);
    peer.vanish();
  });
}

function frameOf(bytes: Uint8Array, connection: Connection): OutboundFrame {
  return { bytes, binary: connection.codec.binary };
}

/** Letters, so that it is a text as well as bytes. */
function filled(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = 97 + (i % 26);
  return bytes;
}

async function nextBytes(peer: TransportPeer): Promise<Buffer> {
  const frame = await peer.next();
  assert.ok(frame, 'the connection ended before the frame');
  return Buffer.from(frame);
}
