import type { Codec, Reply } from '@tutti/protocol';
import type { OutboundFrame } from '../transport/transport.ts';
import { fixedLimits } from './limits.ts';

/**
 * Replies encoded once for each codec that somebody needs, however many connections get them
 * (rule 2 of the hot path). Built by one flush, dropped after it.
 */
export class SharedFrames {
  readonly #replies: readonly Reply[];
  #json: OutboundFrame[] | undefined;
  #protobuf: OutboundFrame[] | undefined;

  constructor(replies: readonly Reply[]) {
    this.#replies = replies;
  }

  for(codec: Codec): OutboundFrame[] {
    if (codec.name === 'json') return (this.#json ??= encodeFrames(codec, this.#replies));
    return (this.#protobuf ??= encodeFrames(codec, this.#replies));
  }
}

/** Few frames rather than many, each near `batchBytesMax` at most, so that a window can still be kept. */
export function encodeFrames(codec: Codec, replies: readonly Reply[]): OutboundFrame[] {
  const frames: OutboundFrame[] = [];
  let batch: Uint8Array[] = [];
  let bytes = 0;
  const close = (): void => {
    if (batch.length > 0) frames.push({ bytes: codec.joinReplies(batch), binary: codec.binary });
    batch = [];
    bytes = 0;
  };
  for (const reply of replies) {
    const encoded = codec.encodeReply(reply);
    if (bytes + encoded.length > fixedLimits.batchBytesMax) close();
    batch.push(encoded);
    bytes += encoded.length;
  }
  close();
  return frames;
}
