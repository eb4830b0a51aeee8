import type { Position } from '@tutti/protocol';

/** Characters of an event id. Browsers send it back in a header, next to the address with the token. */
export const eventIdCharsMax = 4_096;
/** Channels of one stream, those that a token adds included. */
export const positionsMax = 64;

/**
 * Where a stream stands in each of its channels, as the `id` of its events: base64url of JSON,
 * `{epoch: {channel: offset}}`, because the channels of one life share their epoch.
 */
export function eventId(positions: ReadonlyMap<string, Position>): string {
  const byEpoch = new Map<string, [string, number][]>();
  for (const [channel, { epoch, offset }] of positions) {
    const known = byEpoch.get(epoch);
    if (known === undefined) byEpoch.set(epoch, [[channel, offset]]);
    else known.push([channel, offset]);
  }
  const written = Object.fromEntries([...byEpoch].map(([epoch, offsets]) => [epoch, Object.fromEntries(offsets)]));
  return Buffer.from(JSON.stringify(written)).toString('base64url');
}

/** Undefined where it is no event id of ours. Never throws. */
export function readEventId(id: string): Map<string, Position> | undefined {
  if (id.length > eventIdCharsMax) return undefined;
  const positions = new Map<string, Position>();
  try {
    const written: unknown = JSON.parse(Buffer.from(id, 'base64url').toString());
    for (const [epoch, offsets] of entriesOf(written)) {
      for (const [channel, offset] of entriesOf(offsets)) {
        if (!Number.isSafeInteger(offset) || (offset as number) < 0 || positions.size >= positionsMax) return undefined;
        positions.set(channel, { epoch, offset: offset as number });
      }
    }
  } catch {
    return undefined;
  }
  return positions;
}

/** Throws where it is no plain object. */
function entriesOf(value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('no object');
  return Object.entries(value);
}
