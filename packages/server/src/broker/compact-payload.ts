import type { PublicationDraft } from './broker.ts';

/** A payload may waste as much again as it has bytes, and this many more, before it is copied. */
const wasteMax = 512;

/**
 * The draft with a payload that may be kept for long: a small view into a large buffer (what a
 * socket read, say) is copied, because it would keep the whole buffer in memory with it.
 */
export function compactPayload(draft: PublicationDraft): PublicationDraft {
  const { data } = draft;
  if (data.buffer.byteLength <= data.byteLength * 2 + wasteMax) return draft;
  return { ...draft, data: new Uint8Array(data) };
}
