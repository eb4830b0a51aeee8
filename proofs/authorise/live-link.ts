import { request, type ClientRequest } from 'node:http';
import { jsonCodec } from '@tutti/protocol/json';
import { protobufCodec } from '@tutti/protocol/protobuf';
import type { Codec, Reply } from '@tutti/protocol';
import { post } from './post.ts';

/** How a peer reaches the node. */
export const ways = ['websocket json', 'websocket protobuf', 'sse', 'http_stream'] as const;
export type Way = (typeof ways)[number];

export interface LinkEvents {
  /** As they came from the network, frames and what is around them. */
  bytes(chunk: Buffer): void;
  reply(reply: Reply): void;
  ended(code: number): void;
}

export interface Link {
  readonly codec: Codec;
  /** The first frame opens a stream; those behind it wait for its answer. */
  send(frame: Uint8Array): void;
  close(): void;
}

export function openLink(way: Way, url: string, events: LinkEvents): Link {
  switch (way) {
    case 'websocket json':
      return new WebSocketLink(`${url.replace('http', 'ws')}/connection/websocket`, jsonCodec, events);
    case 'websocket protobuf':
      return new WebSocketLink(`${url.replace('http', 'ws')}/connection/websocket`, protobufCodec, events);
    case 'sse':
    case 'http_stream':
      return new StreamLink(url, way, events);
  }
}

class WebSocketLink implements Link {
  readonly codec: Codec;
  readonly #socket: WebSocket;
  readonly #waiting: Uint8Array[] = [];

  constructor(url: string, codec: Codec, events: LinkEvents) {
    this.codec = codec;
    this.#socket = new WebSocket(url, codec.binary ? ['centrifuge-protobuf'] : []);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('open', () => {
      for (const frame of this.#waiting.splice(0)) this.send(frame);
    });
    this.#socket.addEventListener('message', ({ data }: { data: unknown }) => {
      const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data as ArrayBuffer);
      events.bytes(bytes);
      for (const reply of codec.decodeReplies(bytes)) events.reply(reply);
    });
    this.#socket.addEventListener('close', ({ code }) => events.ended(code));
    this.#socket.addEventListener('error', () => undefined);
  }

  send(frame: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#waiting.push(frame);
    else if (this.#socket.readyState === WebSocket.OPEN)
      this.#socket.send(this.codec.binary ? Uint8Array.from(frame) : Buffer.from(frame).toString());
  }

  close(): void {
    this.#socket.close();
  }
}

/** A response that does not end, and a request for each frame after the first. */
class StreamLink implements Link {
  readonly codec = jsonCodec;
  readonly #url: string;
  readonly #way: 'sse' | 'http_stream';
  readonly #events: LinkEvents;
  readonly #waiting: Uint8Array[] = [];
  #stream: ClientRequest | undefined;
  #address: { readonly session: string; readonly node: string } | undefined;
  #isSending = false;
  #isOver = false;
  #rest = '';

  constructor(url: string, way: 'sse' | 'http_stream', events: LinkEvents) {
    this.#url = url;
    this.#way = way;
    this.#events = events;
  }

  send(frame: Uint8Array): void {
    if (this.#stream === undefined) this.#open(frame);
    else {
      this.#waiting.push(frame);
      this.#sendNext();
    }
  }

  close(): void {
    this.#isOver = true;
    this.#stream?.destroy();
  }

  #open(frame: Uint8Array): void {
    this.#stream = request(`${this.#url}/connection/${this.#way}`, { method: 'POST', agent: false }, (response) => {
      response.setEncoding('utf8');
      response.on('data', (text: string) => this.#read(text));
      response.on('error', () => undefined);
      response.on('close', () => this.#end(3_000));
    });
    this.#stream.on('error', () => this.#end(3_000));
    this.#stream.end(frame);
  }

  /** Every frame is of lines; an event of EventSource has `data: ` before each. */
  #read(text: string): void {
    this.#events.bytes(Buffer.from(text));
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const json = line.replace(/^data: /, '').trim();
      // Comments keep the connection open.
      if (!json.startsWith('{')) continue;
      for (const reply of jsonCodec.decodeReplies(Buffer.from(json))) this.#take(reply);
    }
  }

  #take(reply: Reply): void {
    const { session = '', node = '' } = reply.connect ?? {};
    if (session !== '') this.#address = { session, node };
    this.#events.reply(reply);
    if (reply.push?.disconnect !== undefined) this.#end(reply.push.disconnect.code ?? 3_000);
    this.#sendNext();
  }

  #sendNext(): void {
    const [frame] = this.#waiting;
    if (frame === undefined || this.#address === undefined || this.#isSending || this.#isOver) return;
    this.#waiting.shift();
    this.#isSending = true;
    const sent = (): void => this.#sent();
    post(`${this.#url}/emulation`, { ...this.#address, data: Buffer.from(frame).toString() }).then(sent, sent);
  }

  #sent(): void {
    this.#isSending = false;
    this.#sendNext();
  }

  #end(code: number): void {
    if (this.#isOver) return;
    this.close();
    this.#events.ended(code);
  }
}
