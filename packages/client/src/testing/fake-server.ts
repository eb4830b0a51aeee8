import type { Command, Reply } from '@tutti/protocol';
import type { Clock, WebSocketConstructor, WebSocketLike } from '../platform.ts';

type Body = Omit<Reply<unknown>, 'id'>;
export type Verb =
  | 'connect'
  | 'subscribe'
  | 'unsubscribe'
  | 'publish'
  | 'history'
  | 'presence'
  | 'presence_stats'
  | 'rpc'
  | 'refresh'
  | 'sub_refresh';

/** What the server answers to a command; undefined: nothing. */
export type Answer = (command: Command<unknown>, socket: FakeSocket) => Body | undefined;

/** One scripted socket. Frames of the client are kept, decoded; the server's side is played by its methods. */
export class FakeSocket implements WebSocketLike {
  binaryType = '';
  bufferedAmount = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly url: string;
  readonly protocols: string[];
  /** Commands of each frame. */
  readonly frames: Command<unknown>[][] = [];
  /** `close()` was called by the client. */
  isClosed = false;
  readonly #server: FakeServer;

  constructor(url: string, protocols: string[], server: FakeServer) {
    this.url = url;
    this.protocols = protocols;
    this.#server = server;
  }

  get commands(): Command<unknown>[] {
    return this.frames.flat();
  }

  send(data: string | Uint8Array): void {
    const commands = String(data)
      .split('\n')
      .map((line) => JSON.parse(line) as Command<unknown>);
    if (data.length > this.#server.frameBytesMax) {
      this.#server.refused(this);
      return;
    }
    this.frames.push(commands);
    this.#server.received(this, commands);
  }

  close(): void {
    this.isClosed = true;
  }

  open(): void {
    this.onopen?.({} as never);
  }
  /** One frame of replies. Nothing arrives at a socket whose client let go of it, or closed it. */
  reply(...replies: Reply<unknown>[]): void {
    this.raw(replies.map((reply) => JSON.stringify(reply)).join('\n'));
  }
  raw(data: unknown): void {
    this.onmessage?.({ data } as never);
  }
  ping(): void {
    this.reply({});
  }
  end(code: number, reason = ''): void {
    this.onerror?.({} as never);
    this.onclose?.({ code, reason } as never);
  }
}

/** A server that plays a script: each verb has an answer, which a test may replace. */
export class FakeServer {
  readonly sockets: FakeSocket[] = [];
  readonly WebSocket: WebSocketConstructor;
  /** `open`: sockets open after a millisecond. `refuse`: they end at once. `silent`: they neither open nor end. */
  mode: 'open' | 'refuse' | 'silent' = 'open';
  /** Larger frames end their connection with 1009; the server does not say so by itself. */
  frameBytesMax = Infinity;
  readonly answers: Record<Verb, Answer> = {
    connect: () => ({ connect: { client: `client-${this.sockets.length}`, ping: 25, pong: true } }),
    subscribe: ({ subscribe }) => ({
      subscribe: {
        recoverable: true,
        positioned: true,
        epoch: 'e',
        offset: subscribe?.offset ?? 0,
        ...(subscribe?.recover ? { was_recovering: true, recovered: true } : {}),
      },
    }),
    unsubscribe: () => ({ unsubscribe: {} }),
    publish: () => ({ publish: { offset: 1, epoch: 'e' } }),
    history: () => ({ history: { publications: [], epoch: 'e', offset: 0 } }),
    presence: () => ({ presence: { presence: {} } }),
    presence_stats: () => ({ presence_stats: { num_clients: 2, num_users: 1 } }),
    rpc: ({ rpc }) => ({ rpc: { data: rpc?.data } }),
    refresh: () => ({ refresh: { client: '' } }),
    sub_refresh: () => ({ sub_refresh: {} }),
  };
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    // A constructor may return another object than its own: this one closes over the server.
    const make = (url: string, protocols: string[] = []): FakeSocket => this.#make(url, protocols);
    this.WebSocket = function (url: string, protocols?: string[]) {
      return make(url, protocols);
    } as unknown as WebSocketConstructor;
  }

  /** The newest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error('the client has made no socket');
    return socket;
  }

  /** Answers as the script says, a millisecond later, all of one frame in one frame. */
  received(socket: FakeSocket, commands: Command<unknown>[]): void {
    const replies = commands.flatMap((command) => {
      const verb = (Object.keys(this.answers) as Verb[]).find((name) => command[name] !== undefined);
      const body = verb === undefined ? undefined : this.answers[verb](command, socket);
      return body === undefined || command.id === undefined ? [] : [{ id: command.id, ...body }];
    });
    if (replies.length > 0) this.#clock.after(1, () => socket.reply(...replies));
  }

  refused(socket: FakeSocket): void {
    this.#clock.after(1, () => socket.end(1009));
  }

  #make(url: string, protocols: string[]): FakeSocket {
    const socket = new FakeSocket(url, protocols, this);
    this.sockets.push(socket);
    const { mode } = this;
    if (mode === 'open') this.#clock.after(1, () => socket.open());
    if (mode === 'refuse') this.#clock.after(0, () => socket.end(1006));
    return socket;
  }
}
