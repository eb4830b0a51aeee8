import type { Reply } from '@tutti/protocol';
import type { ClientCodec } from './client-codec.ts';
import type { FrameBound, Outgoing } from './frame-bound.ts';
import type { WebSocketLike } from './platform.ts';

/** What a link tells; nothing after `ended`, and nothing after `drop()`. */
export interface LinkOwner {
  opened(): void;
  received(replies: Reply<unknown>[]): void;
  /** The frame is not one of this protocol. The link is still up. */
  garbled(cause: unknown): void;
  ended(code: number, reason: string): void;
}

export interface LinkOptions {
  codec: ClientCodec;
  /** May throw. */
  open(): WebSocketLike;
  /** How large a frame may be; told of each that is sent (S13, S14). */
  frames: FrameBound;
}

/** One WebSocket, or what does as one, from opening to its end. Never reconnects: that is the connection's. */
export class Link {
  readonly #options: LinkOptions;
  readonly #socket: WebSocketLike;

  /** Throws what opening throws. */
  constructor(options: LinkOptions, owner: LinkOwner) {
    const { codec } = options;
    this.#options = options;
    const socket = options.open();
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

  accepted(result: { session?: string; node?: string }): void {
    this.#socket.accepted?.(result);
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Sends encoded commands in as few frames as the bounds allow: one, ordinarily. */
  send(commands: readonly Outgoing[]): void {
    const { frames } = this.#options;
    let frame: Outgoing[] = [];
    let bytes = 0;
    for (const command of commands) {
      if (frame.length > 0 && frames.hasRoom(frame.length, bytes, command)) {
        bytes += 1 + command.bytes;
      } else {
        this.#sendFrame(frame, bytes);
        frame = [];
        bytes = command.bytes;
      }
      frame.push(command);
    }
    this.#sendFrame(frame, bytes);
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

  #sendFrame(frame: readonly Outgoing[], bytes: number): void {
    if (frame.length === 0) return;
    const { codec, frames } = this.#options;
    frames.sent(frame, bytes);
    this.#socket.send(codec.join(frame.map(({ part }) => part)));
  }

  #detach(): void {
    this.#socket.onopen = null;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
  }
}
