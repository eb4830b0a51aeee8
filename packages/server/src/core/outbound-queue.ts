import type { Connection, OutboundFrame } from '../transport/transport.ts';

const nothing: OutboundFrame[] = [];

/**
 * Frames that wait for one connection, oldest first.
 *
 * Shape: whole frames, shared with other connections, never copied or split. Unit of the bound:
 * bytes, because one large frame hurts as much as a thousand small ones (BP-1). At most a window
 * of bytes is with the transport; the rest waits here (BP-2).
 */
export class OutboundQueue {
  readonly #connection: Connection;
  readonly #bytesMax: number;
  readonly #windowBytes: number;
  // Lazy: an idle connection holds no array of its own.
  #frames: OutboundFrame[] = nothing;
  #bytes = 0;

  constructor(connection: Connection, bytesMax: number, windowBytes: number) {
    this.#connection = connection;
    this.#bytesMax = bytesMax;
    this.#windowBytes = windowBytes;
  }

  /** Bytes that wait here, without what the transport has. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  /** False: the bound is crossed, nothing was taken, and the connection must not go on as if it had been. */
  push(frame: OutboundFrame): boolean {
    if (this.#bytes + frame.bytes.length > this.#bytesMax && this.#frames.length > 0) return false;
    if (this.#frames === nothing) this.#frames = [];
    this.#frames.push(frame);
    this.#bytes += frame.bytes.length;
    return true;
  }

  /**
   * Hands over as much as the window allows, in as few writes. Goes on while the transport takes
   * everything at once: it says `drained` only where it had to keep something. Returns the bytes.
   */
  flush(): number {
    let total = 0;
    for (let room = this.#room(); room > 0 && this.#frames.length > 0; room = this.#room()) {
      const taken = this.#take(room);
      let bytes = 0;
      for (const frame of taken) bytes += frame.bytes.length;
      this.#bytes -= bytes;
      total += bytes;
      this.#connection.send(taken);
    }
    return total;
  }

  clear(): void {
    this.#frames = nothing;
    this.#bytes = 0;
  }

  #room(): number {
    return this.#windowBytes - this.#connection.inFlight;
  }

  /** Frames up to `room` bytes and the one that crosses it, so that a frame larger than the window still leaves. */
  #take(room: number): OutboundFrame[] {
    const all = this.#frames;
    if (this.#bytes <= room) {
      this.#frames = nothing;
      return all;
    }
    let count = 0;
    for (let bytes = 0; count < all.length && bytes < room; count += 1) bytes += all[count]?.bytes.length ?? 0;
    this.#frames = count === all.length ? nothing : all.slice(count);
    return all.slice(0, count);
  }
}
