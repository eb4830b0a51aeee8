import { Tutti, type ClientCodec, type TransportName } from '@tutti/client';
import { protobuf } from '@tutti/client/protobuf';
import { PlainEventSource } from '@tutti/testkit/plain-event-source';
import { pause, until } from '../waiting.ts';

/** A publication as a reader got it. */
export interface Got {
  readonly offset: number;
  readonly text: string;
  /** Milliseconds since it was published. */
  readonly afterMs: number;
}

/** One who reads a channel, however. */
export interface Reader {
  readonly got: readonly Got[];
  close(): void | Promise<void>;
}

/** Where to read, and with what. */
export interface Place {
  /** Origin of the node, through the proxy that counts. */
  readonly url: string;
  readonly channel: string;
  readonly token: string;
  readonly apiKey: string;
}

/** A way of reading, and how it is begun. `open` resolves once nothing can be missed any more. */
export interface ReadingWay {
  readonly name: string;
  open(place: Place): Promise<Reader>;
}

interface Data {
  readonly text: string;
  readonly sentAt: number;
}

function gotten(offset: number, { text, sentAt }: Data): Got {
  return { offset, text, afterMs: performance.now() - sentAt };
}

export const readingWays: readonly ReadingWay[] = [
  { name: 'WebSocket, JSON', open: (place) => ownSdk(place, 'websocket') },
  { name: 'WebSocket, Protobuf', open: (place) => ownSdk(place, 'websocket', protobuf()) },
  { name: 'HTTP stream, JSON', open: (place) => ownSdk(place, 'http_stream') },
  { name: 'HTTP stream, Protobuf', open: (place) => ownSdk(place, 'http_stream', protobuf()) },
  { name: 'SSE', open: (place) => ownSdk(place, 'sse') },
  { name: 'EventSource (uni_sse)', open: eventSource },
  { name: 'long polling', open: longPolling },
  { name: 'history each second', open: naivePolling },
];

async function ownSdk(place: Place, transport: TransportName, codec?: ClientCodec): Promise<Reader> {
  const got: Got[] = [];
  const tutti = new Tutti(`${place.url}/connection/websocket`, {
    token: place.token,
    transports: [transport],
    ...(codec === undefined ? {} : { codec }),
  });
  const subscription = tutti.subscribe<Data>(place.channel);
  subscription.on('publication', ({ offset = 0, data }) => got.push(gotten(offset, data)));
  await subscription.ready();
  return { got, close: () => tutti.close() };
}

async function eventSource({ url, channel, token }: Place): Promise<Reader> {
  const got: Got[] = [];
  const source = new PlainEventSource(
    `${url}/connection/uni_sse?${new URLSearchParams({ channels: channel, token }).toString()}`,
  );
  source.onmessage = ({ data }) => {
    const { offset, data: payload } = JSON.parse(data) as { offset: number; data: Data };
    got.push(gotten(offset, payload));
  };
  if (!(await until(() => source.lastEventId !== '', 10_000))) throw new Error('the stream did not begin');
  return {
    got,
    close: () => {
      source.close();
    },
  };
}

interface Publications {
  readonly publications: readonly { offset: number; data: Data }[];
}

async function longPolling({ url, channel, token }: Place): Promise<Reader> {
  const got: Got[] = [];
  const abort = new AbortController();
  let cursor: string | undefined;
  const poll = async (): Promise<void> => {
    const query = new URLSearchParams({ channels: channel, ...(cursor === undefined ? {} : { cursor }) });
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(`${url}/connection/poll?${query.toString()}`, { headers, signal: abort.signal });
    if (response.status === 503) {
      // The node is busy, and says when to ask again; the cursor stays.
      await pause(Number(response.headers.get('retry-after')) * 1_000);
      return;
    }
    if (response.status !== 200) throw new Error(`a poll was answered ${response.status}`);
    const answer = (await response.json()) as { cursor: string; channels: Record<string, Publications> };
    ({ cursor } = answer);
    for (const { offset, data } of answer.channels[channel]?.publications ?? []) got.push(gotten(offset, data));
  };
  while (cursor === undefined) await poll();
  const polling = (async (): Promise<void> => {
    // What fails is asked again with the same cursor: what was missed meanwhile is then in the answer.
    while (!abort.signal.aborted) await poll().catch(() => pause(againMs));
  })();
  return {
    got,
    close: () => {
      abort.abort();
      return polling;
    },
  };
}

/** After a request that failed. */
const againMs = 50;
const naiveEveryMs = 1_000;
const naiveLimit = 200;

/** As it is often done: the last so many, each second, and what is known already is thrown away. */
function naivePolling({ url, channel, apiKey }: Place): Promise<Reader> {
  const got: Got[] = [];
  let last = 0;
  const ask = async (): Promise<void> => {
    const response = await fetch(`${url}/api/history`, {
      method: 'POST',
      headers: { 'X-API-Key': apiKey, 'Content-Type': 'application/json' },
      body: JSON.stringify({ channel, limit: naiveLimit, reverse: true }),
    });
    const { result } = (await response.json()) as { result: Publications };
    for (const { offset, data } of [...result.publications].reverse()) {
      if (offset <= last) continue;
      got.push(gotten(offset, data));
      last = offset;
    }
  };
  let asking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    asking = asking.then(ask).catch(() => undefined);
  }, naiveEveryMs);
  return Promise.resolve({
    got,
    close: () => {
      clearInterval(timer);
      return asking;
    },
  });
}
