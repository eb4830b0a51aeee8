import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from '@tutti/protocol';
import type { FetchLike } from './platform.ts';
import { momentMs, setScene, type Scene } from './testing/scene.ts';
import type { TransportName } from './transports.ts';

const all: readonly TransportName[] = ['websocket', 'http_stream', 'sse'];
const bytes = new TextEncoder();

/** A node over plain HTTP that answers connects; what else is sent is kept. */
class FakeHttp {
  readonly opened: string[] = [];
  readonly emulated: Command<unknown>[] = [];
  /** Of the answer to what is sent on an open stream. */
  status = 204;
  #push: (text: string | undefined) => void = () => {};

  readonly fetch: FetchLike = (url, { body }) => {
    const path = url.replace(/^http:\/\/fake/, '');
    const told = { ok: true, status: 200, headers: { get: () => null } };
    if (path === '/emulation') {
      const { data } = JSON.parse(String(body)) as { data: string };
      this.emulated.push(...data.split('\n').map((line) => JSON.parse(line) as Command<unknown>));
      return Promise.resolve({ ...told, ok: this.status < 300, status: this.status, body: null });
    }
    this.opened.push(path);
    const chunks: (Uint8Array | undefined)[] = [];
    let wake = (): void => {};
    this.#push = (text) => {
      chunks.push(text === undefined ? undefined : bytes.encode(text));
      wake();
    };
    const connect = { client: 'c', session: 's', node: 'n', ping: 25, pong: true };
    const [first = ''] = String(body).split('\n');
    const { id } = JSON.parse(first) as { id: number };
    this.#push(`${JSON.stringify({ id, connect })}\n`);
    const read = async (): Promise<{ value?: Uint8Array | undefined }> => {
      while (chunks.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return { value: chunks.shift() };
    };
    return Promise.resolve({ ...told, body: { getReader: () => ({ read }) } });
  };

  push(text: string): void {
    this.#push(text);
  }
  end(): void {
    this.#push(undefined);
  }
}

function setBlocked(mode: 'refuse' | 'silent'): Scene & { http: FakeHttp; transports: string[] } {
  const http = new FakeHttp();
  const scene = setScene({ transports: all, fetch: http.fetch }, (server) => (server.mode = mode));
  const transports: string[] = [];
  scene.tutti.on('connected', ({ transport }) => transports.push(transport));
  return { ...scene, http, transports };
}

test('CON-7: a WebSocket that is refused twice, or swallowed once, gives way to HTTP', async () => {
  const refused = setBlocked('refuse');
  await refused.pass(5_000);
  assert.deepEqual([refused.server.sockets.length, refused.transports], [2, ['http_stream']]);
  refused.tutti.close();
  const swallowed = setBlocked('silent');
  await swallowed.pass(12_000);
  assert.deepEqual([swallowed.server.sockets.length, swallowed.transports], [1, ['http_stream']]);
  assert.equal(swallowed.tutti.transport, 'http_stream');
  swallowed.tutti.close();
});

test('CON-7: closes that only the server can send, before any answer, are no blocked WebSocket', async () => {
  const http = new FakeHttp();
  const scene = setScene({ transports: all, fetch: http.fetch }, (server) => {
    server.answers.connect = (_, socket) => {
      queueMicrotask(() => socket.end(3001, 'shutdown'));
      return undefined;
    };
  });
  await scene.pass(120_000);
  assert.ok(scene.server.sockets.length > 5, `${scene.server.sockets.length} WebSockets`);
  assert.deepEqual(http.opened, []);
  scene.tutti.close();
});

test('CON-7: WebSocket is looked for again beside the stream, and taken once it opens', async () => {
  const { server, tutti, transports, pass, changes, http } = setBlocked('refuse');
  const stay = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 20_000) {
      http.push('{}\n');
      server.socket.ping();
      await pass(Math.min(left, 20_000));
    }
  };
  await pass(5_000);
  await stay(70_000);
  assert.equal(server.sockets.length, 3, 'one probe after a minute');
  assert.equal(tutti.state, 'connected', 'and the stream goes on meanwhile');
  server.mode = 'silent';
  await stay(130_000);
  assert.equal(server.sockets.length, 4, 'the next after two');
  assert.equal(server.socket.isClosed, true, 'one that hangs is given up');
  assert.deepEqual(server.socket.frames, [], 'nothing is said on it');
  server.mode = 'open';
  await stay(300_000);
  assert.deepEqual(transports, ['http_stream', 'websocket']);
  assert.equal(changes.filter(({ to }) => to === 'waiting').length, 3, 'two refusals and the change');
  tutti.close();
});

test('CON-7: with WebSocket in use, and after close(), nothing is looked for', async () => {
  const { server, tutti, pass } = setScene({ transports: all, fetch: new FakeHttp().fetch });
  await pass(momentMs);
  assert.equal(tutti.transport, 'websocket');
  tutti.close();
  const blocked = setBlocked('refuse');
  await blocked.pass(5_000);
  blocked.tutti.close();
  await blocked.pass(60 * 60_000);
  assert.deepEqual([server.sockets.length, blocked.server.sockets.length], [1, 2]);
});

test('a stream that ends, or a request on it that fails, is a lost connection', async () => {
  const { tutti, http, pass, changes } = setBlocked('refuse');
  await pass(5_000);
  http.end();
  await pass(2_000);
  assert.equal(http.opened.length, 2);
  http.status = 404;
  void tutti.publish('room', {}).catch(() => undefined);
  await pass(10_000);
  assert.ok(http.opened.length > 2 && http.opened.every((path) => path === '/connection/http_stream'));
  assert.match(changes.filter(({ to }) => to === 'waiting').at(-1)?.reason ?? '', /404/);
  tutti.close();
});

test('frames arrive whole, however the body is cut, and what is no reply is passed over', async () => {
  const { tutti, http, pass, errors } = setBlocked('refuse');
  await pass(5_000);
  const messages: unknown[] = [];
  tutti.on('message', (data) => messages.push(data));
  const line = (text: string): string => JSON.stringify({ push: { message: { data: text } } });
  http.push(`\r\n: comment\n${line('one').slice(0, 9)}`);
  await pass(1);
  http.push(`${line('one').slice(9)}\ndata: ${line('two')}\n\n${line('three')}`);
  await pass(1);
  assert.deepEqual(messages, ['one', 'two']);
  http.push('\n');
  await pass(1);
  assert.deepEqual([messages, errors], [['one', 'two', 'three'], []]);
  tutti.close();
});

test('an address that is no other transport stays with WebSocket', async () => {
  const { tutti, server, pass } = setScene(
    { transports: all, fetch: () => assert.fail('nothing is fetched') },
    (script) => (script.mode = 'refuse'),
    'ws://fake/elsewhere',
  );
  await pass(60_000);
  assert.ok(server.sockets.length > 4);
  tutti.close();
});
