import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { SeededRandom, transportConformance, type TransportPeer, type TransportUnderTest } from '@tutti/testkit';
import { SolePeers } from '../../cluster/sole-peers.ts';
import { SystemClock } from '../../runtime/system-clock.ts';
import { nullTelemetry } from '../../telemetry/null-telemetry.ts';
import type { Connection, ConnectionHandler, Transport } from '../transport.ts';
import { httpStream, sse, uniSse, type StreamKind } from './stream-kinds.ts';
import { StreamHub, StreamTransport } from './stream-transport.ts';

const nodeName = 'node-1';
const opening = '{"id":1,"connect":{}}';

/** Where a frame ends in the body, and how much of it is the frame's. */
interface Cut {
  readonly mark: string;
  frameOf(text: string): string | undefined;
}

const cuts: Record<string, Cut> = {
  sse: { mark: '\n\n', frameOf: (text) => /^(?:\r\n)?data: ([^]*)$/.exec(text)?.[1]?.replaceAll('\ndata: ', '\n') },
  http_stream: { mark: '\n', frameOf: (text) => text },
};

/** A client of streams: one response that does not end, and a request for each frame, one after another. */
class StreamPeer implements TransportPeer {
  readonly #response: IncomingMessage;
  readonly #session: string;
  readonly #port: number;
  readonly #cut: Cut;
  readonly #frames: Buffer[] = [];
  readonly #requests = new Set<ClientRequest>();
  #text = '';
  #isEnded = false;
  #wake: () => void = () => undefined;
  #sending: Promise<void> = Promise.resolve();

  constructor(response: IncomingMessage, session: string, port: number, cut: Cut) {
    this.#response = response;
    this.#session = session;
    this.#port = port;
    this.#cut = cut;
    response.setEncoding('latin1');
    response.on('data', (text: string) => this.#read(text));
    response.on('error', () => undefined);
    response.on('close', () => {
      this.#isEnded = true;
      this.#wake();
    });
  }

  send(frame: Uint8Array): void {
    const body = JSON.stringify({ session: this.#session, node: nodeName, data: Buffer.from(frame).toString() });
    this.#sending = this.#sending.then(async () => {
      const request = this.#post(Buffer.byteLength(body));
      request.end(body);
      const answer = await once(request, 'response').catch(() => undefined);
      (answer?.[0] as IncomingMessage | undefined)?.resume();
    });
  }

  sendPart(bytes: Uint8Array): void {
    this.#post(10_000).write(bytes);
  }

  async next(): Promise<Uint8Array | undefined> {
    while (this.#frames.length === 0 && !this.#isEnded) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#frames.shift();
  }

  async closedWith(): Promise<{ code: number; reason: string } | undefined> {
    for (let frame = await this.next(); frame !== undefined; frame = await this.next()) {
      const text = Buffer.from(frame).toString();
      if (!text.startsWith('{')) continue;
      return (JSON.parse(text) as { push: { disconnect: { code: number; reason: string } } }).push.disconnect;
    }
    return undefined;
  }

  close(): void {
    this.vanish();
  }

  vanish(): void {
    for (const request of this.#requests) request.destroy();
    // One that has ended already cannot be reset.
    const { socket } = this.#response;
    if (socket.readyState === 'open') socket.resetAndDestroy();
    else socket.destroy();
  }

  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  #post(length: number): ClientRequest {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': length };
    const request = httpRequest({ port: this.#port, path: '/emulation', method: 'POST', headers });
    request.on('error', () => undefined);
    this.#requests.add(request);
    return request;
  }

  #read(text: string): void {
    const parts = (this.#text + text).split(this.#cut.mark);
    this.#text = parts.pop() ?? '';
    for (const part of parts) {
      const frame = this.#cut.frameOf(part);
      // A ping of the protocol.
      if (frame === '{}') this.send(Buffer.from(frame));
      else if (frame !== undefined) this.#frames.push(Buffer.from(frame, 'latin1'));
    }
    this.#wake();
  }
}

/** The transport, but for the frame that opens a connection; and the sessions it made. */
function watched(transport: StreamTransport, sessions: string[]): Transport {
  const withoutOpening = (handler: ConnectionHandler): ConnectionHandler => {
    let isFirst = true;
    return {
      receive(frame) {
        if (isFirst) isFirst = false;
        else handler.receive(frame);
      },
      confirmed: (roundTripMs, aheadBytes) => handler.confirmed(roundTripMs, aheadBytes),
      closed: (reason) => handler.closed(reason),
    };
  };
  return {
    name: transport.name,
    listen(accept) {
      transport.listen((connection: Connection) => {
        sessions.push(connection.session ?? '');
        return withoutOpening(accept(connection));
      });
    },
    close: () => transport.close(),
  };
}

async function create(kind: StreamKind): Promise<TransportUnderTest> {
  const seams = { clock: new SystemClock(), random: new SeededRandom(7), telemetry: nullTelemetry };
  const alone = new SolePeers(nodeName, 'incarnation');
  const hub = new StreamHub({ nodeName, closeTimeoutMs: 500 }, { ...seams, peers: alone });
  const transport = new StreamTransport(kind, hub);
  const server = createServer((request, response) => {
    const taker = request.url?.startsWith('/emulation') === true ? hub.emulation : transport;
    void taker.handle(request, response).then((refusal) => {
      if (refusal !== undefined) response.writeHead(refusal.status, refusal.headers).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sessions: string[] = [];
  const peers: StreamPeer[] = [];
  return {
    transport: watched(transport, sessions),
    // Frames of Protobuf have no end of their own in a body: the SDK's tests have them.
    codecs: ['json'],
    confirms: 'peer',
    frameBytesMax: 64 * 1024,
    oversized: 'refused',
    async connect() {
      const request = httpRequest({ port, path: `/connection/${kind.name}`, method: 'POST', agent: false });
      request.end(opening);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      if (response.statusCode !== 200) {
        response.resume();
        throw new Error(`refused with ${response.statusCode}`);
      }
      const peer = new StreamPeer(response, sessions.at(-1) ?? '', port, cuts[kind.name]!);
      peers.push(peer);
      return peer;
    },
    async dispose() {
      for (const peer of peers) peer.vanish();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

transportConformance('SSE', () => create(sse));
transportConformance('HTTP stream', () => create(httpStream));

test('BP-2: a reader that can only listen is the exception by name: the kernel confirms, whether it reads or not', async (t) => {
  const alone = new SolePeers(nodeName, 'incarnation');
  const seams = { clock: new SystemClock(), random: new SeededRandom(7), telemetry: nullTelemetry, peers: alone };
  const transport = new StreamTransport(uniSse, new StreamHub({ nodeName }, seams));
  const server = createServer((request, response) => void transport.handle(request, response));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const confirmed = Promise.withResolvers<number | undefined>();
  const accepted = Promise.withResolvers<Connection>();
  transport.listen((connection) => {
    accepted.resolve(connection);
    return { receive() {}, confirmed: (roundTripMs) => confirmed.resolve(roundTripMs), closed() {} };
  });
  const { port } = server.address() as AddressInfo;
  const reader = connect(port, '127.0.0.1');
  t.after(() => reader.destroy());
  reader.pause().write('GET /connection/uni_sse?channels=a HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const connection = await accepted.promise;
  assert.equal(connection.isOneWay, true);
  assert.equal(connection.protocolPings, undefined);
  connection.send([{ bytes: Buffer.from('{"id":1,"connect":{"client":"c"}}'), binary: false }]);
  connection.mark();
  assert.equal(await confirmed.promise, undefined);
});
