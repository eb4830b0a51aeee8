import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Codec, Command, Reply } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import { protobufCodec } from '@tutti/protocol/protobuf';
import { EventLog, startNode, type StartedNode } from '@tutti/testkit';
import type { Cleanup } from './official-sdk.ts';

/** What no SDK does: a peer that speaks the protocol wrongly, or too late, or in odd frames. */

let node: StartedNode;
let impatient: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: { room: {}, log: { historySize: 1_000 } },
    settings: { pendingCommandsMax: 4, allowAnonymous: true },
  });
  impatient = await startNode({ settings: { connectTimeoutMs: 300 } });
});
after(async () => {
  await node.close();
  await impatient.close();
});

interface WireEvents {
  open: undefined;
  reply: Reply;
  frame: readonly Reply[];
  close: { code: number; reason: string };
}

class Wire {
  readonly events = new EventLog<WireEvents>();
  readonly #socket: WebSocket;
  readonly #codec: Codec;

  constructor(url: string, codec: Codec) {
    this.#codec = codec;
    this.#socket = new WebSocket(url, codec.binary ? ['centrifuge-protobuf'] : []);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => this.events.add('open', undefined);
    this.#socket.onmessage = ({ data }) => this.#received(data as string | ArrayBuffer);
    this.#socket.onclose = ({ code, reason }) => this.events.add('close', { code, reason });
  }

  /** All in one frame. */
  send(...commands: Command[]): void {
    this.sendBytes(this.#codec.encodeCommands(commands));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.send(this.#codec.binary ? Uint8Array.from(bytes) : new TextDecoder().decode(bytes));
  }

  close(): void {
    this.#socket.close();
  }

  #received(data: string | ArrayBuffer): void {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data);
    const replies = this.#codec.decodeReplies(bytes);
    this.events.add('frame', replies);
    for (const reply of replies) this.events.add('reply', reply);
  }
}

async function wireTo(t: Cleanup, codec: Codec, url = node.wsUrl): Promise<Wire> {
  const wire = new Wire(url, codec);
  t.after(() => wire.close());
  await wire.events.next('open');
  return wire;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const badRequest = { code: 3501, reason: 'bad request' };

describe('wire', { concurrency: true }, () => {
  for (const codec of [jsonCodec, protobufCodec]) {
    describe(codec.name, { concurrency: true }, () => {
      for (const [what, bytes] of [
        ['is no message', codec.binary ? Uint8Array.of(0x05, 0xff, 0xff) : bytesOf('{"id":1,"connect":')],
        ['is empty', new Uint8Array(0)],
      ] as const) {
        test(`S13: a first frame that ${what} ends the connection for good`, async (t) => {
          const wire = await wireTo(t, codec);
          wire.sendBytes(bytes);
          assert.deepEqual(await wire.events.next('close'), badRequest);
          assert.deepEqual(wire.events.all('reply'), []);
        });
      }

      const wrong: [string, Command[]][] = [
        ['a command before connect', [{ id: 1, subscribe: { channel: 'room:a' } }]],
        ['a connect without an id', [{ connect: {} }]],
        [
          'a second connect',
          [
            { id: 1, connect: {} },
            { id: 2, connect: {} },
          ],
        ],
        ['an unknown command', [{ id: 1, connect: {} }, { id: 2 }]],
        ['a pong that nobody asked for', [{ id: 1, connect: {} }, {}]],
        [
          'a ping of the client',
          [
            { id: 1, connect: {} },
            { id: 2, ping: {} },
          ],
        ],
      ];
      for (const [what, commands] of wrong) {
        test(`${what} ends the connection for good`, async (t) => {
          const wire = await wireTo(t, codec);
          wire.send(...commands);
          assert.deepEqual(await wire.events.next('close'), badRequest);
        });
      }

      test('a second connect on a living connection ends it for good', async (t) => {
        const wire = await wireTo(t, codec);
        wire.send({ id: 1, connect: {} });
        assert.equal((await wire.events.next('reply')).id, 1);
        wire.send({ id: 2, connect: {} });
        assert.deepEqual(await wire.events.next('close'), badRequest);
      });

      test('S3: a peer that does not connect in time is closed for good', async (t) => {
        const wire = await wireTo(t, codec, impatient.wsUrl);
        assert.deepEqual(await wire.events.next('close'), { code: 3502, reason: 'stale' });
      });

      test('commands in the frame of the connect are acted on after it, in their order', async (t) => {
        const wire = await wireTo(t, codec);
        const channel = `room:first-frame-${codec.name}`;
        wire.send(
          { id: 1, connect: {} },
          { id: 2, subscribe: { channel } },
          { id: 3, publish: { channel, data: bytesOf('{"n":1}') } },
        );
        const replies = await wire.events.count('reply', 4);
        assert.deepEqual(
          replies.filter(({ id }) => id !== undefined).map(({ id, error }) => [id, error]),
          [1, 2, 3].map((id) => [id, undefined]),
        );
        const subscribed = replies.findIndex(({ id }) => id === 2);
        const published = replies.findIndex(({ push }) => push?.pub !== undefined);
        assert.ok(subscribed < published, 'nothing of a channel comes before its subscribe is answered');
      });

      test('a refresh is answered with the id of the connection, which SDKs take over', async (t) => {
        const wire = await wireTo(t, codec);
        const token = await node.token({ user: 'ann', expiresAtMs: Date.now() + 3_600_000 });
        wire.send({ id: 1, connect: { token } }, { id: 2, refresh: { token } });
        const [connected, refreshed] = await wire.events.count('reply', 2);
        const { client, ttl } = connected?.connect ?? {};
        assert.match(client ?? '', /./);
        assert.equal(refreshed?.refresh?.client, client);
        assert.deepEqual([refreshed?.refresh?.expires, typeof ttl], [true, 'number']);
      });

      test('a refused connect: nothing that came with it is acted on', async (t) => {
        const wire = await wireTo(t, codec);
        const expired = await node.token({ user: 'ann', expiresAtMs: Date.now() - 5_000 });
        wire.send({ id: 1, connect: { token: expired } }, { id: 2, subscribe: { channel: 'room:a' } });
        const reply = await wire.events.next('reply');
        assert.deepEqual([reply.id, reply.error?.code], [1, 109]);
        const again = await wireTo(t, codec);
        again.send({ id: 1, connect: {} });
        await again.events.next('reply');
        assert.equal(wire.events.all('reply').length, 1);
      });

      test('BP-1: a flood of commands beyond the bound is answered with 111, and the others are served', async (t) => {
        const wire = await wireTo(t, codec);
        wire.send({ id: 1, connect: {} });
        await wire.events.next('reply');
        const flood = Array.from({ length: 50 }, (_, i) => ({ id: i + 2, subscribe: { channel: `log:flood-${i}` } }));
        wire.send(...flood);
        const replies = (await wire.events.count('reply', 51)).slice(1);
        const refused = replies.filter(({ error }) => error?.code === 111);
        assert.ok(refused.every(({ error }) => error?.temporary === true));
        assert.ok(refused.length > 0 && refused.length < 50, `${refused.length} of 50 refused`);
        assert.equal(new Set(replies.map(({ id }) => id)).size, 50, 'each is answered once');
      });

      test('DEL-9: a long recovery: a page rides in the answer, the rest follows as pushes', async (t) => {
        const channel = `log:pages-${codec.name}`;
        for (let n = 1; n <= 700; n += 1) await node.server.publish(channel, n);
        const { top } = await node.server.history(channel, { limit: 0 });
        const wire = await wireTo(t, codec);
        wire.send(
          { id: 1, connect: {} },
          { id: 2, subscribe: { channel, recover: true, epoch: top.epoch, offset: 10 } },
        );
        const replies = await wire.events.count('reply', 2 + 390);
        const result = replies[1]?.subscribe;
        assert.deepEqual([result?.recovered, result?.offset, result?.publications?.length], [true, 10, 300]);
        const offsets = [
          ...(result?.publications ?? []).map(({ offset }) => offset),
          ...replies.slice(2).map(({ push }) => push?.pub?.offset),
        ];
        assert.deepEqual(
          offsets,
          Array.from({ length: 690 }, (_, i) => i + 11),
        );
      });
    });
  }
});
