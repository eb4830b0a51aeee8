import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutterFor, type BusWire, type WirePiece } from './bus-wire.ts';

const natsMessages: readonly [text: string, topic?: string][] = [
  ['INFO {"server_id":"MSG","max_payload":1048576}\r\n'],
  ['PONG\r\n'],
  ['MSG tutti.revoked 3 0\r\n\r\n', 'tutti.revoked'],
  ['MSG tutti.live.chat.chat=3Aa 12 5\r\nMSG a\r\n', 'tutti.live.chat.chat=3Aa'],
  ['MSG _INBOX.abc 9 tutti.reply 11\r\nline\r\nline2\r\n', '_INBOX.abc'],
  ['HMSG tutti.bus.n1 4 20 25\r\nNATS/1.0\r\nA: bcd\r\n\r\nhello\r\n', 'tutti.bus.n1'],
  ["-ERR 'Slow Consumer'\r\n"],
];
const redisMessages: readonly [text: string, topic?: string][] = [
  ['+OK\r\n'],
  ['%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n'],
  ['>3\r\n$7\r\nmessage\r\n$19\r\ntutti:{revocations}\r\n$4\r\n\r\n$1\r\n', 'tutti:{revocations}'],
  ['*3\r\n$8\r\nsmessage\r\n$10\r\ntutti:{.a}\r\n$0\r\n\r\n', 'tutti:{.a}'],
  ['>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n'],
  ['*3\r\n$1\r\n1\r\n*2\r\n:1\r\n$-1\r\n_\r\n'],
  ['-READONLY this server is no master\r\n'],
  ['*-1\r\n'],
  ['|1\r\n+ttl\r\n:3\r\n$2\r\nab\r\n'],
];

/** In chunks of `size` bytes. */
function cut(wire: BusWire, text: string, size: number): WirePiece[] {
  const cutter = cutterFor(wire);
  const bytes = Buffer.from(text);
  const pieces: WirePiece[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(...cutter.take(bytes.subarray(at, at + size)));
  return pieces;
}

for (const [wire, messages] of [
  ['nats', natsMessages],
  ['redis', redisMessages],
] as const) {
  test(`${wire}: messages are cut where they end and named, in whatever pieces they come`, () => {
    const text = messages.map(([message]) => message).join('');
    const expected = messages.map(([message, topic]) => [message, topic]);
    for (let size = 1; size <= text.length; size += 1) {
      const seen = cut(wire, text, size).map(({ bytes, topic }) => [bytes.toString(), topic]);
      assert.deepEqual(seen, expected, `in chunks of ${size}`);
    }
  });
}

test('what is not the protocol is said, and not passed over', () => {
  assert.throws(() => cut('redis', '?3\r\n', 4), /does not begin/);
  assert.throws(() => cut('nats', 'MSG a 1 many\r\n', 14), /no size/);
});
