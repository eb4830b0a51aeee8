import { BadFrame, type Command, type Position, type SubscribeRequest } from '@tutti/protocol';
import { jsonCodec, validateJson } from '@tutti/protocol/json';
import { eventId, eventIdCharsMax, positionsMax, readEventId } from './positions.ts';

/** What a plain reader of events asks for. */
export interface UniOpening {
  /** The commands that a client with an SDK would have sent. */
  readonly first: Uint8Array;
  /** Subscribes by their command's id. */
  readonly asked: ReadonlyMap<number, string>;
  /** Where the reader was before; undefined: it comes for the first time. */
  readonly resumed: ReadonlyMap<string, Position> | undefined;
}

const connectId = 1;
/** Longer than epochs and offsets are. */
const longest: Position = { epoch: 'e'.repeat(32), offset: Number.MAX_SAFE_INTEGER };

/** What a reader without an SDK says of itself, from wherever its request has it. */
export interface UniAsked {
  readonly channels: readonly string[];
  readonly token: string;
  /** JSON, or empty. */
  readonly data: string;
  readonly name: string;
  readonly resumed: ReadonlyMap<string, Position> | undefined;
}

/** A text says what is wrong with the query. Never throws. */
export function readUniOpening(query: URLSearchParams, lastEventId: string | undefined): UniOpening | string {
  return uniOpening({
    channels: namesOf(query),
    token: query.get('token') ?? '',
    data: query.get('data') ?? '',
    name: 'eventsource',
    resumed: resumedFrom(lastEventId),
  });
}

/** Names with commas between them, or the parameter several times. */
export function namesOf(query: URLSearchParams): string[] {
  return query.getAll('channels').flatMap((list) => list.split(','));
}

/** An id that is not ours tells that the reader was here, and not where it stood: all is then a gap. */
export function resumedFrom(id: string | undefined): ReadonlyMap<string, Position> | undefined {
  return id === undefined ? undefined : (readEventId(id) ?? new Map<string, Position>());
}

/** A text says what is wrong. Never throws. */
export function uniOpening(of: UniAsked): UniOpening | string {
  const channels = [...new Set(of.channels)].filter(Boolean);
  if (channels.length > positionsMax) return `a stream has at most ${positionsMax} channels`;
  // So that every event can carry all positions, whatever they will be.
  if (eventId(new Map(channels.map((channel) => [channel, longest]))).length > eventIdCharsMax) {
    return 'the channel names are too long together for one stream: open several';
  }
  const { token, data, name, resumed } = of;
  if (data !== '' && !isJson(data)) return 'data must be JSON';
  const asked = new Map(channels.map((channel, i) => [connectId + 1 + i, channel]));
  const others = [...(resumed ?? [])].filter(([channel]) => !channels.includes(channel));
  const connect: Command = {
    id: connectId,
    connect: {
      token,
      name,
      ...(data === '' ? {} : { data: Buffer.from(data) }),
      // Channels that the token gives; of others the position means nothing.
      subs: Object.fromEntries(others.map(([channel, position]) => [channel, recovering(position)])),
    },
  };
  const subscribes = [...asked].map(([id, channel]): Command => {
    const position = resumed?.get(channel);
    return { id, subscribe: { channel, ...(position === undefined ? {} : recovering(position)) } };
  });
  return { first: jsonCodec.encodeCommands([connect, ...subscribes]), asked, resumed };
}

/** The reader was in this channel before, or may have been: its id is none of ours, or was full. One new to it has no gap. */
export function wasAt({ resumed }: UniOpening, channel: string): boolean {
  if (resumed === undefined) return false;
  return resumed.has(channel) || resumed.size === 0 || resumed.size >= positionsMax;
}

function recovering({ epoch, offset }: Position): SubscribeRequest {
  return { recover: true, epoch, offset };
}

function isJson(text: string): boolean {
  try {
    validateJson(Buffer.from(text));
    return true;
  } catch (error) {
    if (error instanceof BadFrame) return false;
    throw error;
  }
}
