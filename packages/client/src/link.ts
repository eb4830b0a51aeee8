import type { Reply } from '@tutti/protocol';
import type { ClientCodec, Part } from './client-codec.ts';
import type { WebSocketConstructor, WebSocketLike } from './platform.ts';

/** What a link tells; nothing after `ended`, and nothing after `drop()`. */
export interface LinkOwner {
  opened(): void;
  received(replies: Reply<unknown>[]): void;
  /** The frame is not one of this protocol. The link is still up. */
  garbled(cause: unknown): void;
  ended(code: number, reason: string): void;
}

export interface LinkOptions {
  url: string;
  codec: ClientCodec;
  WebSocket: WebSocketConstructor;
  /** Bytes and commands of one frame; the server refuses more (S13, S14). */
  frameBytesMax: number;
  frameCommandsMax: number;
}

/** One WebSocket, from opening to its end. Never reconnects: that is the connection's. */
export class Link {
  readonly #options: LinkOptions;
  readonly #socket: WebSocketLike;

  /** Throws where the URL is not one. */
  constructor(options: LinkOptions, owner: LinkOwner) {
    const { url, codec, WebSocket } = options;
    this.#options = options;
    const socket = new WebSocket(url, codec.subprotocol === undefined ? [] : [codec.subprotocol]);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => owner.opened();
    // The close event follows with the code; the error event of a WebSocket says nothing by design.
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }: { code?: number; reason?: string }) => {
      this.#detach();
      owner.ended(code ?? 1006, reason ?? '');
    };
    socket.onmessage = ({ data }: { data: unknown }) => {
      let replies: Reply<unknown>[];
      try {
        replies = codec.decode(data);
      } catch (cause) {
        owner.garbled(cause);
        return;
      }
      owner.received(replies);
    };
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Sends encoded commands in as few frames as the bounds allow: one, ordinarily. */
  send(parts: readonly Part[]): void {
    const { codec, frameBytesMax, frameCommandsMax } = this.#options;
    let frame: Part[] = [];
    let bytes = 0;
    for (const part of parts) {
      const size = codec.sizeOf(part);
      if (frame.length > 0 && (bytes + size > frameBytesMax || frame.length >= frameCommandsMax)) {
        this.#socket.send(codec.join(frame));
        frame = [];
        bytes = 0;
      }
      frame.push(part);
      bytes += size;
    }
    if (frame.length > 0) this.#socket.send(codec.join(frame));
  }

  /** Closes and forgets. A dead peer may take long to agree; nobody waits for it. */
  drop(): void {
    this.#detach();
    this.#socket.onerror = () => {};
    try {
      this.#socket.close(1000);
    } catch {
      // Some implementations throw while the socket is still opening; it is forgotten either way.
    }
  }

  #detach(): void {
    this.#socket.onopen = null;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
  }
}
