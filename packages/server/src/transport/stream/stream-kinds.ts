import type { IncomingMessage, ServerResponse } from 'node:http';
import { BadFrame } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import { isOctetStream } from './emulation.ts';
import { linesFraming, protobufFraming, sseFraming, type Framing } from './framing.ts';
import { PollConnection } from './poll-connection.ts';
import { readPollOpening } from './poll-opening.ts';
import { StreamConnection, type StreamFacts, type StreamLink, type StreamOwner } from './stream-connection.ts';
import { UniFraming } from './uni-framing.ts';
import { readUniOpening } from './uni-opening.ts';

/** What opens a stream, as read from a request. */
export interface Opening {
  /** What the session is given first. */
  readonly first: Uint8Array;
  readonly connect: (response: ServerResponse, facts: StreamFacts, owner: StreamOwner) => StreamLink;
}

/** One way of opening streams. */
export interface StreamKind {
  readonly name: string;
  readonly methods: readonly string[];
  /** The peer only listens: it gets no session. */
  readonly isOneWay: boolean;
  /** A text says what is wrong with the request. `chance`: in [0, 1). Never throws. */
  open(request: IncomingMessage, query: URLSearchParams, body: Buffer, chance: number): Opening | string;
}

/** Server-sent events for SDKs: the connect command in the query, or with more commands in the body. */
export const sse: StreamKind = {
  name: 'sse',
  methods: ['GET', 'POST'],
  isOneWay: false,
  open: (request, query, body) => {
    if (request.method === 'POST') return streamOf(sseFraming, body);
    const first = Buffer.from(query.get('cf_connect') ?? '');
    // A page can make a browser send any GET, so all that one can do is connect.
    if (!isConnectAlone(first)) return 'cf_connect in the query must be one connect command';
    return streamOf(sseFraming, first);
  },
};

export const httpStream: StreamKind = {
  name: 'http_stream',
  methods: ['POST'],
  isOneWay: false,
  open: (request, _query, body) => streamOf(isOctetStream(request) ? protobufFraming : linesFraming, body),
};

/** Server-sent events for any reader, such as a browser's own EventSource or curl. */
export const uniSse: StreamKind = {
  name: 'uni_sse',
  methods: ['GET'],
  isOneWay: true,
  open: (request, query, _body, chance) => {
    const header = request.headers['last-event-id'];
    // Some readers cannot send headers. What a browser sends is newer than the address it was opened with.
    const lastEventId = (Array.isArray(header) ? header[0] : header) ?? query.get('lastEventId') ?? undefined;
    const opening = readUniOpening(query, lastEventId === '' ? undefined : lastEventId);
    if (typeof opening === 'string') return opening;
    return streamOf(new UniFraming(opening, chance), opening.first);
  },
};

/** For whoever speaks plain HTTP: an answer at a time. `waitMsMax`: how long it may wait for something to tell. */
export function longPoll(waitMsMax: number): StreamKind {
  return {
    name: 'poll',
    methods: ['GET', 'POST'],
    isOneWay: true,
    open: (request, query, body) => {
      const asked = readPollOpening(request, query, body, waitMsMax);
      if (typeof asked === 'string') return asked;
      return {
        first: asked.opening.first,
        connect: (response, facts, owner) => new PollConnection(response, asked, facts, owner),
      };
    },
  };
}

function streamOf(framing: Framing, first: Uint8Array): Opening {
  return { first, connect: (response, facts, owner) => new StreamConnection(response, framing, facts, owner) };
}

function isConnectAlone(frame: Uint8Array): boolean {
  try {
    const [command, ...more] = jsonCodec.decodeCommands(frame);
    return command?.connect !== undefined && more.length === 0;
  } catch (error) {
    if (error instanceof BadFrame) return false;
    throw error;
  }
}
