import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonCodec } from '@tutti/protocol/json';
import type { DisconnectKind } from '@tutti/protocol';
import { Counters } from '../../telemetry/counters.ts';
import { SolePeers } from '../../cluster/sole-peers.ts';
import type { Peers } from '../../cluster/peers.ts';
import { Entrance } from '../entrance.ts';
import { Places } from '../places.ts';
import { Emulation, relayedWaitingBytesMax } from './emulation.ts';
import { EmulationRelay, relaysMax } from './emulation-relay.ts';
import { Gate } from './gate.ts';
import type { StreamLink } from './stream-connection.ts';

/** Another node that asks when the test says so, and answers when it likes. */
function otherNode() {
  const sole = new SolePeers('a', '1');
  const answered: (() => void)[] = [];
  const told: unknown[] = [];
  let ask: (question: unknown) => unknown = () => undefined;
  let tell: (message: unknown) => void = () => undefined;
  const nothing = (): void => undefined;
  const peers: Peers = {
    ...{ self: sole.self, others: [{ name: 'b', incarnation: '1' }], watch: nothing, tell: nothing, beat: nothing },
    hear: (_topic, read, heard) => {
      tell = (message) => heard(sole.self, read(message));
    },
    tellOne: (_peer, _topic, message) => void told.push(message),
    answer: (_topic, read, answer) => {
      ask = (question) => answer(read(question), sole.self);
    },
    survey: () => new Promise((resolve) => answered.push(() => resolve({ answers: [], silent: [] }))),
  };
  return {
    peers,
    answered,
    told,
    ask: (question: object): unknown => ask(question),
    tell: (message: unknown) => tell(message),
  };
}

test('S21: frames that another node hands on for a session that is held back wait within a bound', async () => {
  const other = otherNode();
  const bounds = { connectionsMax: 1, connectionsPerAddressMax: 1, trustedProxies: [] };
  const entrance = new Entrance(bounds, { telemetry: new Counters() });
  const emulation = new Emulation(
    { nodeName: 'a', frameBytesMax: 64 * 1024 },
    {
      gate: new Gate({ allowedOrigins: [], loopbackOnly: false }, entrance),
      entrance,
      reading: new Places(bounds),
      peers: other.peers,
    },
  );
  const hold = Promise.withResolvers<undefined>();
  const closed: number[] = [];
  const frames: number[] = [];
  let held: Promise<void> | undefined = hold.promise;
  const link = {
    session: 's1',
    codec: jsonCodec,
    get held() {
      return held;
    },
    receive: (frame: Uint8Array) => void frames.push(frame[0] ?? 0),
    close: ({ code }: DisconnectKind) => void closed.push(code),
  };
  emulation.add(link as unknown as StreamLink);
  const bytes = 64 * 1024;
  const handOn = (first: number): unknown => {
    const data = Buffer.alloc(bytes, ' ');
    data[0] = first;
    return other.ask({ node: 'a', session: 's1', codec: 'json', data: data.toString('base64') });
  };
  const most = Math.floor(relayedWaitingBytesMax / (bytes + 512));
  const waiting = Array.from({ length: most }, (_, i) => handOn(i));
  assert.deepEqual([frames, closed], [[], []]);
  await handOn(most);
  assert.deepEqual(closed, [3_013]);
  held = undefined;
  hold.resolve(undefined);
  await Promise.all(waiting);
  assert.deepEqual(frames, [...waiting.keys()], 'those that waited, in order');
  held = new Promise(() => undefined);
  void handOn(1);
  assert.deepEqual(closed, [3_013], 'nothing waits any more');
});

test('S21: requests for other nodes leave questions to those who are not strangers', async () => {
  const { peers, answered } = otherNode();
  const relay = new EmulationRelay(peers, () => Promise.resolve());
  const frame = { node: 'b', session: 's', data: new Uint8Array(0), codec: 'json' } as const;
  const asked = Array.from({ length: relaysMax }, () => relay.relay(frame));
  assert.equal(await relay.relay(frame), 'busy');
  assert.equal(answered.length, relaysMax, 'what was refused was not sent');
  for (const each of answered.splice(0)) each();
  assert.equal(await asked[0], 'gone');
  void relay.relay(frame);
  assert.equal(answered.length, 1);
});

test('BP-2: answers to pings are handed on, however many frames wait for other nodes', async () => {
  const { peers, answered, told, tell } = otherNode();
  const taken: string[] = [];
  const relay = new EmulationRelay(peers, ({ data }) => {
    taken.push(Buffer.from(data).toString());
    return Promise.resolve();
  });
  const frame = (data: string | Uint8Array, node = 'b', codec: 'json' | 'protobuf' = 'json') =>
    relay.relay({ node, session: 's', data: Buffer.from(data), codec });
  for (let i = 0; i < relaysMax; i += 1) void frame('{}');
  assert.deepEqual(
    [answered.length, told.length],
    [relaysMax, 0],
    'while there is room they are asked about as others are',
  );
  assert.equal(await frame('{}'), 'taken');
  assert.equal(await frame('{}\n{}'), 'taken');
  assert.equal(await frame(new Uint8Array([0, 0]), 'b', 'protobuf'), 'taken');
  assert.equal(told.length, 3);
  for (const message of told) tell(message);
  assert.deepEqual(taken, ['{}', '{}\n{}', '\0\0']);
  assert.equal(await frame('{}', 'nobody'), 'gone');
  for (const other of ['', '{}{}', '{"id":1}', ' '.repeat(80), '{}\n{"publish":{}}'])
    assert.equal(await frame(other), 'busy', other);
  assert.equal(await frame(new Uint8Array([0, 1, 8]), 'b', 'protobuf'), 'busy');
});
