import type { IncomingMessage } from 'node:http';
import type { Position } from '@tutti/protocol';
import { validateJson } from '@tutti/protocol/json';
import { namesOf, resumedFrom, uniOpening, type UniOpening } from './uni-opening.ts';

/** What one poll asks for. */
export interface PollOpening {
  readonly opening: UniOpening;
  /** How long it may wait for the first publication. */
  readonly waitMs: number;
  /** Entity tags of what the reader has, without their quotes. */
  readonly known: readonly string[];
}

interface PollAsked {
  channels: readonly string[];
  positions: ReadonlyMap<string, Position>;
  cursor: string | undefined;
  token: string;
  data: string;
  /** As the request has it: seconds, or nothing. */
  wait: unknown;
}

/**
 * Reads a poll: GET with a query, or POST with a JSON body of the same names, whose `channels` may also be
 * `{name: {epoch, offset}}`. A text says what is wrong. Never throws.
 */
export function readPollOpening(
  request: IncomingMessage,
  query: URLSearchParams,
  body: Buffer,
  waitMsMax: number,
): PollOpening | string {
  const asked = request.method === 'POST' ? askedByBody(body) : askedByQuery(query);
  if (typeof asked === 'string') return asked;
  const { wait = waitMsMax / 1_000 } = asked;
  const seconds = typeof wait === 'number' || typeof wait === 'string' ? Number(wait) : NaN;
  if (!(seconds >= 0)) return 'wait is a number of seconds';
  const known = tagsOf(request.headers['if-none-match']);
  // The tag of an answer is its cursor: a reader that knows HTTP needs no other.
  const cursor = asked.cursor ?? known[0];
  let resumed = resumedFrom(cursor);
  if (asked.positions.size > 0) resumed = new Map([...(resumed ?? []), ...asked.positions]);
  const opening = uniOpening({
    channels: asked.channels,
    token: asked.token === '' ? bearer(request) : asked.token,
    data: asked.data,
    name: 'poll',
    resumed,
  });
  if (typeof opening === 'string') return opening;
  return { opening, waitMs: Math.min(waitMsMax, seconds * 1_000), known };
}

function askedByQuery(query: URLSearchParams): PollAsked {
  return {
    channels: namesOf(query),
    positions: new Map(),
    cursor: query.get('cursor') ?? undefined,
    token: query.get('token') ?? '',
    data: query.get('data') ?? '',
    wait: query.get('wait') ?? undefined,
  };
}

const bodyShape =
  'the body is JSON: {"channels": ["a"] or {"a": {"epoch": "…", "offset": 0}}, "cursor"?, "token"?, "data"?, "wait"?}';

function askedByBody(body: Buffer): PollAsked | string {
  let parsed: unknown;
  try {
    // Within its bounds: what is nested deeply is parsed, and cannot be written again (S13).
    validateJson(body);
    parsed = JSON.parse(body.toString());
  } catch {
    return bodyShape;
  }
  if (!isObject(parsed)) return bodyShape;
  const { channels = [], cursor, token = '', data, wait } = parsed;
  const positions = readPositions(channels);
  if (positions === undefined || typeof token !== 'string') return bodyShape;
  if (cursor !== undefined && typeof cursor !== 'string') return bodyShape;
  return {
    channels: [...positions.keys()],
    positions: new Map([...positions].flatMap(([name, at]) => (at === undefined ? [] : [[name, at]]))),
    cursor,
    token,
    data: data === undefined ? '' : JSON.stringify(data),
    wait,
  };
}

/** Undefined: malformed. A channel without a position begins where its cursor says, or now. */
function readPositions(channels: unknown): Map<string, Position | undefined> | undefined {
  if (Array.isArray(channels)) {
    return channels.every((name) => typeof name === 'string')
      ? new Map(channels.map((name) => [name, undefined]))
      : undefined;
  }
  if (!isObject(channels)) return undefined;
  const positions = new Map<string, Position | undefined>();
  for (const [name, at] of Object.entries(channels)) {
    if (!isObject(at)) return undefined;
    const { epoch, offset } = at;
    if (epoch === undefined && offset === undefined) positions.set(name, undefined);
    else if (typeof epoch !== 'string' || !Number.isSafeInteger(offset) || (offset as number) < 0) return undefined;
    else positions.set(name, { epoch, offset: offset as number });
  }
  return positions;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Weak or strong: a proxy that compresses makes them weak. */
function tagsOf(header: string | undefined): string[] {
  return [...(header ?? '').matchAll(/"([A-Za-z0-9_-]*)"/g)].map(([, tag = '']) => tag);
}

function bearer(request: IncomingMessage): string {
  return /^Bearer +([^\s]+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
}
