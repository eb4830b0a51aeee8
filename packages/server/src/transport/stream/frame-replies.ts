import type { Reply } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import type { OutboundFrame } from '../transport.ts';

/** What of a frame is the same for everybody, read once. Frames are shared, and gone when all have them. */
const decoded = new WeakMap<OutboundFrame, readonly Reply[]>();

const lineFeed = 0x0a;

/** What stands in a JSON frame of ours, for readers that are given something else than frames. */
export function repliesOf(frame: OutboundFrame): readonly Reply[] {
  let replies = decoded.get(frame);
  if (replies === undefined) {
    // Line by line: a decoder bounds what a stranger may put into one frame, and this frame is ours.
    replies = linesOf(frame.bytes).flatMap((line) => jsonCodec.decodeReplies(line));
    decoded.set(frame, replies);
  }
  return replies;
}

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return [...lines, bytes.subarray(start)];
}
