import { Agent, request } from 'node:http';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { ResponseHead, type RawWire, type WireOwner } from './raw-wire.ts';

/** The node keeps them for 5 s. */
const idleMsMax = 4_000;

export type StreamName = 'sse' | 'http_stream' | 'uni_sse';

/** Body bytes out of `Transfer-Encoding: chunked` (RFC 9112 section 7.1). */
class Dechunker {
  #rest = Buffer.alloc(0);
  /** Of the chunk that is being read, its line break included; 0: a length comes next. */
  #left = 0;

  push(bytes: Buffer): Buffer[] {
    const body: Buffer[] = [];
    let rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      if (this.#left > 0) {
        const taken = rest.subarray(0, this.#left);
        if (taken.length === 0) break;
        body.push(taken.subarray(0, Math.max(0, Math.min(taken.length, this.#left - 2))));
        this.#left -= taken.length;
        rest = rest.subarray(taken.length);
      } else {
        const end = rest.indexOf('\r\n');
        if (end < 0) break;
        this.#left = Number.parseInt(rest.toString('latin1', 0, end), 16) + 2;
        rest = rest.subarray(end + 2);
      }
    }
    // A copy: the chunk belongs to the next read.
    this.#rest = Buffer.from(rest);
    return body;
  }
}

/** A response that does not end, and a request for each thing said, one after another. */
export class StreamWire implements RawWire {
  readonly #owner: WireOwner;
  readonly #name: StreamName;
  readonly #port: number;
  /** What opens `uni_sse`, which says all with its address. */
  readonly #query: string;
  readonly #head = new ResponseHead('200');
  readonly #body = new Dechunker();
  /** A connection that is idle is given up before the node does it, as browsers do. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, timeout: idleMsMax });
  #address: { session: string; node: string } | undefined;
  #hasConnected = false;
  readonly #waiting: string[] = [];
  #isSending = false;
  #text = '';

  constructor(owner: WireOwner, name: StreamName, port: number, query: string) {
    this.#owner = owner;
    this.#name = name;
    this.#port = port;
    this.#query = query;
  }

  begin(): void {
    if (this.#name !== 'uni_sse') this.#owner.opened();
    else this.#owner.write(`GET /connection/uni_sse?${this.#query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  }

  read(chunk: Buffer): void {
    const rest = this.#head.rest(chunk);
    if (rest === undefined) return;
    // With its head a stream that says nothing is accepted.
    if (this.#name === 'uni_sse') this.#owner.opened();
    const mark = this.#name === 'http_stream' ? '\n' : '\n\n';
    this.#text += Buffer.concat(this.#body.push(rest)).toString('latin1');
    const parts = this.#text.split(mark);
    this.#text = parts.pop() ?? '';
    for (const part of parts) this.#part(Buffer.from(part, 'latin1').toString());
  }

  send(text: string): void {
    if (this.#name === 'uni_sse') return;
    if (this.#hasConnected) {
      this.#waiting.push(text);
      void this.#sendWaiting();
      return;
    }
    this.#hasConnected = true;
    this.#owner.write(
      `POST /connection/${this.#name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
  }

  #part(part: string): void {
    if (this.#name === 'http_stream') {
      this.#frame(part);
      return;
    }
    const lines = part.split('\n');
    const data = lines.flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : [])).join('\n');
    if (data === '' || lines.some((line) => line.startsWith('event: '))) return;
    this.#frame(this.#name === 'sse' ? data : `{"push":{"pub":${data}}}`);
  }

  #frame(text: string): void {
    if (this.#address === undefined && text.includes('"session"')) {
      const [line = ''] = text.split('\n', 1);
      this.#address = (JSON.parse(line) as { connect: { session: string; node: string } }).connect;
    }
    this.#owner.frame(text);
    void this.#sendWaiting();
  }

  async #sendWaiting(): Promise<void> {
    if (this.#isSending || this.#address === undefined) return;
    this.#isSending = true;
    const { session, node } = this.#address;
    while (this.#waiting.length > 0) {
      const data = this.#waiting.splice(0).join('\n');
      const asked = request({ port: this.#port, path: '/emulation', method: 'POST', agent: this.#agent });
      asked.end(JSON.stringify({ session, node, data }));
      try {
        const [answer] = (await once(asked, 'response')) as [IncomingMessage];
        answer.resume();
        await once(answer, 'end');
        if (answer.statusCode !== 204) throw new Error(`a request was answered with ${answer.statusCode}`);
      } catch (error) {
        this.#owner.over(error instanceof Error ? error.message : String(error));
        break;
      }
    }
    this.#isSending = false;
  }
}
