import type { Codec, Push, Reply } from '@tutti/protocol';
import type { Namespace } from '../config/namespace.ts';
import type { OutboundFrame } from '../transport/transport.ts';

/** Parts are joined into one frame up to so many bytes, so that a window can still be kept. */
const frameBytesMax = 64 * 1024;

/** One codec's view of a batch. */
export interface Encoded {
  /** One for each push, in order: what a lane keeps, and conflates. */
  readonly parts: readonly Uint8Array[];
  /** The parts joined: what leaves while nothing has to wait. */
  readonly frames: readonly OutboundFrame[];
  /** Of all parts together. */
  readonly bytes: number;
}

/**
 * Pushes of one channel that leave together. Encoded once for each codec that somebody needs,
 * however many connections get them (rule 2 of the hot path); a connection that has to wait holds a
 * reference, never a copy.
 */
export class Batch {
  readonly channel: string;
  readonly namespace: Namespace;
  readonly pushes: readonly Push[];
  /** Read from the log for one subscription that is behind, not from the fan-out. */
  readonly isFromLog: boolean;
  #json: Encoded | undefined;
  #protobuf: Encoded | undefined;

  constructor(
    channel: { readonly name: string; readonly namespace: Namespace },
    pushes: readonly Push[],
    isFromLog = false,
  ) {
    this.channel = channel.name;
    this.namespace = channel.namespace;
    this.pushes = pushes;
    this.isFromLog = isFromLog;
  }

  encoded(codec: Codec): Encoded {
    if (codec.name === 'json') return (this.#json ??= encode(codec, this.pushes));
    return (this.#protobuf ??= encode(codec, this.pushes));
  }
}

/** A reply for one connection. */
export function replyFrame(codec: Codec, reply: Reply): OutboundFrame {
  return { bytes: codec.joinReplies([codec.encodeReply(reply)]), binary: codec.binary };
}

/** Joins encoded parts into few frames, each near the bound at most. */
export function joinParts(codec: Codec, parts: readonly Uint8Array[]): OutboundFrame[] {
  const frames: OutboundFrame[] = [];
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < parts.length; i += 1) {
    const length = parts[i]?.length ?? 0;
    if (bytes > 0 && bytes + length > frameBytesMax) {
      frames.push({ bytes: codec.joinReplies(parts.slice(from, i)), binary: codec.binary });
      from = i;
      bytes = 0;
    }
    bytes += length;
  }
  if (from < parts.length) frames.push({ bytes: codec.joinReplies(parts.slice(from)), binary: codec.binary });
  return frames;
}

function encode(codec: Codec, pushes: readonly Push[]): Encoded {
  const parts = pushes.map((push) => codec.encodeReply({ push }));
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return { parts, frames: joinParts(codec, parts), bytes };
}
