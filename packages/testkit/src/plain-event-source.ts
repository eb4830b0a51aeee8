/** An event of a stream as a browser gives it. */
export interface StreamEvent {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

type Listener = (event: StreamEvent) => void;

/**
 * A browser's EventSource, as far as its standard says how bytes become events and when it comes
 * back; made anew, because Node's own is behind a flag. It does not come back by itself: the test says when.
 */
export class PlainEventSource {
  onopen: (() => void) | null = null;
  onerror: ((error: unknown) => void) | null = null;
  onmessage: Listener | null = null;
  readonly url: string;
  readonly events: StreamEvent[] = [];
  comments = 0;
  retryMs: number | undefined;
  lastEventId: string;
  status = 0;
  headers = new Headers();
  /** Resolves when the stream has ended, whoever ended it. */
  readonly ended: Promise<void>;
  readonly #abort = new AbortController();
  #text = '';
  #isClosed = false;

  constructor(url: string, options: { lastEventId?: string; headers?: Record<string, string> } = {}) {
    this.url = url;
    this.lastEventId = options.lastEventId ?? '';
    this.ended = this.#run(options.headers ?? {});
  }

  close(): void {
    this.#isClosed = true;
    this.#abort.abort();
  }

  ofType(type: string): StreamEvent[] {
    return this.events.filter((event) => event.type === type);
  }

  async #run(more: Record<string, string>): Promise<void> {
    const headers = { Accept: 'text/event-stream', ...more };
    const resuming = this.lastEventId === '' ? {} : { 'Last-Event-ID': this.lastEventId };
    try {
      const response = await fetch(this.url, { headers: { ...headers, ...resuming }, signal: this.#abort.signal });
      this.status = response.status;
      this.headers = response.headers;
      if (response.status !== 200 || response.body === null) throw new Error(`status ${response.status}`);
      this.onopen?.();
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) this.#read(chunk);
      throw new Error('the stream ended');
    } catch (error) {
      if (!this.#isClosed) this.onerror?.(error);
    }
  }

  #read(chunk: string): void {
    const blocks = `${this.#text}${chunk.replaceAll('\r\n', '\n')}`.split('\n\n');
    this.#text = blocks.pop() ?? '';
    for (const block of blocks) this.#dispatch(block.split('\n'));
  }

  #dispatch(lines: readonly string[]): void {
    const data: string[] = [];
    let type = 'message';
    for (const line of lines) {
      if (line.startsWith(':')) this.comments += 1;
      const [name = ''] = line.split(':', 1);
      const value = line.slice(name.length + 1).replace(/^ /, '');
      if (name === 'data') data.push(value);
      else if (name === 'event') type = value;
      else if (name === 'id') this.lastEventId = value;
      else if (name === 'retry') this.retryMs = Number(value);
    }
    if (data.length === 0) return;
    const event = { type, data: data.join('\n'), lastEventId: this.lastEventId };
    this.events.push(event);
    if (type === 'message') this.onmessage?.(event);
  }
}
