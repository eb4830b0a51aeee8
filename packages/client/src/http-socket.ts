import type { ClientCodec, Part } from './client-codec.ts';
import type { AbortLike, FetchLike, WebSocketLike } from './platform.ts';
import { newAbort, soon } from './platform.ts';

/** What waits is sent together up to so many characters or bytes, one request after another. */
const joinedMax = 16 * 1024;

type Handler = ((event: never) => void) | null;

/**
 * What a WebSocket does, over plain HTTP: one response that does not end, opened by the first frame,
 * and a request for each frame after it, in order (docs/guides/sse.md).
 */
export class HttpSocket implements WebSocketLike {
  binaryType = '';
  onopen: Handler = null;
  onmessage: Handler = null;
  onclose: Handler = null;
  onerror: Handler = null;
  readonly #url: string;
  readonly #codec: ClientCodec;
  readonly #fetch: FetchLike;
  readonly #abort: AbortLike = newAbort();
  #hasStarted = false;
  #isSending = false;
  #isOver = false;
  #waiting: Part[] = [];
  /** How requests name this stream; known with the answer to the connect. */
  #address: { session: string; node: string } | undefined;

  /** `url`: of the stream, `…/connection/http_stream` or `…/connection/sse`. */
  constructor(url: string, codec: ClientCodec, fetch: FetchLike) {
    this.#url = url;
    this.#codec = codec;
    this.#fetch = fetch;
    // Whether there is a way through shows with the answer to the first frame.
    soon(() => this.onopen?.({} as never));
  }

  get bufferedAmount(): number {
    return this.#waiting.reduce((sum, { length }) => sum + length, 0);
  }

  accepted({ session = '', node = '' }: { session?: string; node?: string }): void {
    this.#address = { session, node };
    void this.#sendWaiting();
  }

  send(data: Part): void {
    if (this.#hasStarted) {
      this.#waiting.push(data);
      void this.#sendWaiting();
      return;
    }
    this.#hasStarted = true;
    void this.#read(data);
  }

  close(): void {
    this.#isOver = true;
    this.#waiting = [];
    this.#abort.abort();
  }

  async #read(first: Part): Promise<void> {
    try {
      const { body } = await this.#post(this.#url, first);
      const frameOf = this.#codec.http!.reader();
      const reader = body?.getReader();
      for (let chunk = await reader?.read(); chunk?.value !== undefined; chunk = await reader?.read()) {
        const data = frameOf(chunk.value);
        if (data !== undefined) this.onmessage?.({ data } as never);
      }
      this.#end('the stream ended');
    } catch (cause) {
      this.#end(String(cause));
    }
  }

  async #sendWaiting(): Promise<void> {
    if (this.#isSending || this.#address === undefined || this.#isOver) return;
    this.#isSending = true;
    const { session, node } = this.#address;
    const url = this.#url.replace(/\/connection\/\w+(?=$|\?)/, '/emulation');
    try {
      while (this.#waiting.length > 0) {
        await this.#post(url, this.#codec.http!.envelope(session, node, this.#takeWaiting()));
      }
    } catch (cause) {
      // What was in it is lost: a new connection sends again what may be.
      this.#end(String(cause));
    }
    this.#isSending = false;
  }

  #takeWaiting(): Part {
    let count = 1;
    let size = this.#waiting[0]!.length;
    for (; count < this.#waiting.length; count++) {
      size += 1 + this.#waiting[count]!.length;
      if (size > joinedMax) break;
    }
    return this.#codec.join(this.#waiting.splice(0, count));
  }

  async #post(url: string, body: Part): ReturnType<FetchLike> {
    const { type } = this.#codec.http!;
    // Text is what pages may send to other origins without asking first.
    const headers: Record<string, string> = type === undefined ? {} : { 'Content-Type': type };
    const response = await this.#fetch(url, { method: 'POST', body, headers, signal: this.#abort.signal });
    if (response.ok) return response;
    if (response.status === 413) this.#end('too large', 1009);
    const after = Number(response.headers.get('retry-after'));
    throw new Error(`status ${response.status}${after > 0 ? ` retry=${after * 1000}` : ''}`);
  }

  #end(reason: string, code = 1006): void {
    if (this.#isOver) return;
    this.close();
    this.onclose?.({ code, reason } as never);
  }
}
