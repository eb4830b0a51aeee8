import assert from 'node:assert/strict';
import { disconnects } from '@tutti/protocol';
import { eventually } from '../eventually.ts';
import { filled, frameOf, nextBytes, type Check, type Recorded } from './transport-bench.ts';

/** BP-1, BP-2 and BP-5: what a transport does for a peer that does not read. */
// long on purpose: a flat list
export function pressure(check: Check): void {
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

  check(
    'BP-2: what the kernel took is not confirmed before the peer has read it, where it can say so',
    async (bench) => {
      const { peer, node } = await bench.open();
      const other = await bench.open();
      peer.pause();
      for (let i = 0; i < 16; i++) node.connection.send([frameOf(filled(1_000), node.connection)]);
      node.connection.mark();
      // The same on another connection shows that there was time for it, whoever confirms.
      for (let i = 1; i <= 5; i++) {
        other.node.connection.send([frameOf(filled(100), other.node.connection)]);
        other.node.connection.mark();
        await eventually(() => other.node.confirmations.length === i, { what: 'the other confirmed' });
      }
      const isPeer = bench.under.confirms === 'peer';
      assert.equal(node.confirmations.length, isPeer ? 0 : 1);
      if (isPeer) assert.ok(node.connection.inFlight >= 16_000, `${node.connection.inFlight} bytes in flight`);
      peer.resume();
      for (let i = 0; i < 16; i++) assert.equal((await nextBytes(peer)).length, 1_000);
      await eventually(() => node.confirmations.length === 1, { what: 'confirmed' });
      assert.equal(node.connection.inFlight, 0);
      for (const roundTripMs of [...node.confirmations, ...other.node.confirmations]) {
        assert.equal(typeof roundTripMs, isPeer ? 'number' : 'undefined');
      }
    },
  );

  check('BP-2: of several marks each confirms what was sent before it', async (bench) => {
    const { peer, node } = await bench.open();
    for (let i = 1; i <= 5; i++) {
      node.connection.send([frameOf(filled(1_000 * i), node.connection)]);
      node.connection.mark();
    }
    node.connection.send([frameOf(filled(10), node.connection)]);
    for (const size of [1_000, 2_000, 3_000, 4_000, 5_000, 10]) assert.equal((await nextBytes(peer)).length, size);
    await eventually(() => node.confirmations.length === 5, { what: 'five confirmations' });
    if (bench.under.confirms === 'peer')
      assert.ok(node.connection.inFlight >= 10 && node.connection.inFlight < 1_000, 'what no mark follows');
    node.connection.mark();
    await eventually(() => node.confirmations.length === 6, { what: 'the last confirmation' });
    assert.equal(node.connection.inFlight, 0);
  });

  check('BP-1: who answers pings that it has not read has no more than the kernel takes of the rest', async (bench) => {
    const { peer, node } = await bench.open();
    const { connection } = node;
    if (connection.protocolPings === undefined) return;
    peer.pause();
    let sent = 0;
    for (; connection.inFlight < 16 * chunk && sent < chunksMax; sent++) {
      connection.send([frameOf(filled(chunk), connection)]);
      connection.mark();
      assert.ok(connection.protocolPings.answered());
    }
    assert.ok(sent < chunksMax, 'what the kernel did not take stays in flight');
    assert.equal(connection.protocolPings.answered(), false);
    connection.terminate();
  });

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
