/**
 * What the SDK needs from the browser or from Node, as small interfaces, so that tests run on
 * virtual time with a scripted socket. This is the only file that touches a global.
 */

export interface Timer {
  /** Idempotent; safe after the timer fired. */
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonic(): number;
  /** Calls `fn` once, no earlier than `ms` from now. */
  after(ms: number, fn: () => void): Timer;
}

export interface Random {
  /** Uniform in [0, 1). For jitter, not for secrets. */
  next(): number;
  /** An unguessable identifier; the head of this client's idempotency keys. */
  id(): string;
}

/** The part of the standard WebSocket that is used: the browser's, Node's own and `ws` all fit. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  /** The server answered the connect; `session` and `node` where what is sent must name them. */
  accepted?(result: { session?: string; node?: string }): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/** The part of the standard `fetch` that is used. */
export type FetchLike = (
  url: string,
  init: {
    method: 'POST';
    body: string | Uint8Array<ArrayBuffer>;
    headers: Record<string, string>;
    signal: AbortLike['signal'];
  },
) => Promise<{
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: { getReader(): { read(): Promise<{ value?: Uint8Array | undefined }> } } | null;
}>;

export interface AbortLike {
  readonly signal: AbortSignal;
  abort(): void;
}

/** Tells when the machine goes online or offline; a page that is looked at again counts as online. Returns the function that stops telling. */
export type WatchNetwork = (tell: (event: 'online' | 'offline') => void) => () => void;

/** The globals in use, named here because neither the DOM's nor Node's types are assumed. */
interface Globals {
  WebSocket?: WebSocketConstructor;
  fetch?: FetchLike;
  AbortController: new () => AbortLike;
  addEventListener?(name: string, fn: () => void): void;
  removeEventListener?(name: string, fn: () => void): void;
  document?: {
    readonly visibilityState: string;
    addEventListener(name: string, fn: () => void): void;
    removeEventListener(name: string, fn: () => void): void;
  };
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  queueMicrotask(fn: () => void): void;
  performance: { now(): number };
  crypto: { getRandomValues(bytes: Uint8Array): Uint8Array };
  console: { error(...parts: unknown[]): void };
  TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> };
  TextDecoder: new () => { decode(bytes: Uint8Array, options?: { stream: boolean }): string };
}
const globals = globalThis as unknown as Globals;

/** Longer spans wrap round in `setTimeout` and fire at once; nothing here needs more than 24 days exactly. */
const timeoutMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  monotonic: () => globals.performance.now(),
  after(ms, fn) {
    const handle = globals.setTimeout(fn, Math.min(ms, timeoutMsMax));
    return { cancel: () => globals.clearTimeout(handle) };
  },
};

export const systemRandom: Random = {
  next: () => Math.random(),
  // Not randomUUID: browsers have it on secure pages only.
  id: () =>
    Array.from(globals.crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join(''),
};

export const watchNetwork: WatchNetwork = (tell) => {
  if (globals.addEventListener === undefined) return () => {};
  const online = (): void => tell('online');
  const offline = (): void => tell('offline');
  // A hidden page's timers are slowed down: whoever looks at it again should not wait for a late one.
  const seen = (): void => {
    if (globals.document?.visibilityState === 'visible') online();
  };
  globals.addEventListener('online', online);
  globals.addEventListener('offline', offline);
  globals.document?.addEventListener('visibilitychange', seen);
  return () => {
    globals.removeEventListener?.('online', online);
    globals.removeEventListener?.('offline', offline);
    globals.document?.removeEventListener('visibilitychange', seen);
  };
};

export const systemWebSocket = globals.WebSocket;

/** Looked up with each request: tools replace it. */
export const systemFetch: FetchLike | undefined = globals.fetch && ((url, init) => globals.fetch!(url, init));

export function newAbort(): AbortLike {
  return new globals.AbortController();
}

/** Bytes of a text that come in pieces. */
export function textDecoder(): (bytes: Uint8Array) => string {
  const decoder = new globals.TextDecoder();
  return (bytes) => decoder.decode(bytes, { stream: true });
}

export function soon(fn: () => void): void {
  globals.queueMicrotask(fn);
}

export function complain(error: unknown): void {
  globals.console.error('[tutti]', error);
}

const encoder = new globals.TextEncoder();
const decoder = new globals.TextDecoder();
export const utf8 = {
  encode: (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text),
  decode: (bytes: Uint8Array): string => decoder.decode(bytes),
};
