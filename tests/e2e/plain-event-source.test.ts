import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connectClient, eventually, PlainEventSource, startNode, type StartedNode } from '@tutti/testkit';
import type { Cleanup } from './official-sdk.ts';

/** A reader without any SDK: an address, and what the browser does by itself. */

let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: {
      log: { historySize: 1_000 },
      short: { historySize: 3 },
      live: {},
      closed: { allowSubscribe: 'token' },
      here: { presence: true, joinLeave: true },
    },
    settings: { pingIntervalMs: 1_000, allowAnonymous: true, allowedOrigins: ['https://app.example.com'] },
  });
});
after(() => node.close());

interface ReadOptions {
  readonly lastEventId?: string;
  readonly token?: string;
  readonly more?: string;
}

function read(t: Cleanup, channels: string, { lastEventId, token, more = '' }: ReadOptions = {}): PlainEventSource {
  const query = new URLSearchParams({ channels, ...(token === undefined ? {} : { token }) });
  const url = `${node.url}/connection/uni_sse?${query.toString()}${more}`;
  const source = new PlainEventSource(url, lastEventId === undefined ? {} : { lastEventId });
  t.after(async () => {
    source.close();
    await source.ended;
  });
  return source;
}

interface Seen {
  readonly channel: string;
  readonly offset?: number;
  readonly data: unknown;
}

function seen(source: PlainEventSource, type = 'message'): Seen[] {
  return source.ofType(type).map(({ data }) => JSON.parse(data) as Seen);
}

function offsets(source: PlainEventSource): (number | undefined)[] {
  return seen(source).map(({ offset }) => offset);
}

const upTo = (count: number, from = 1): number[] => Array.from({ length: count - from + 1 }, (_, i) => from + i);

async function publish(channel: string, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n += 1) await node.server.publish(channel, { n });
}

/** It is subscribed: its first id is there. */
async function ready(source: PlainEventSource): Promise<void> {
  await eventually(() => source.lastEventId !== '', { what: 'the first id' });
}

describe('a plain EventSource', { concurrency: true }, () => {
  test('gets each publication as an event, with its channel and offset', async (t) => {
    const source = read(t, 'log:a,log:b');
    await ready(source);
    assert.equal(source.headers.get('content-type'), 'text/event-stream');
    assert.match(source.headers.get('cache-control') ?? '', /no-cache.*no-transform/);
    assert.equal(source.headers.get('x-accel-buffering'), 'no');
    assert.ok((source.retryMs ?? 0) >= 1_000);
    await publish('log:a', 1, 2);
    await publish('log:b', 1, 1);
    await eventually(() => source.events.length === 3);
    assert.deepEqual(
      seen(source).map(({ channel, offset, data }) => [channel, offset, data]),
      [
        ['log:a', 1, { n: 1 }],
        ['log:a', 2, { n: 2 }],
        ['log:b', 1, { n: 1 }],
      ],
    );
  });

  test('DEL-2: killed at any moment and resumed by Last-Event-ID it misses nothing and doubles nothing', async (t) => {
    const all: (number | undefined)[] = [];
    const total = 400;
    const first = read(t, 'log:resumed');
    await ready(first);
    first.close();
    await first.ended;
    let { lastEventId } = first;
    const publishing = publish('log:resumed', 1, total);
    while (all.length < total) {
      const source = read(t, 'log:resumed', { lastEventId });
      const wanted = Math.min(40, total - all.length);
      await eventually(() => source.events.length >= wanted);
      source.close();
      await source.ended;
      all.push(...offsets(source));
      assert.deepEqual(source.ofType('gap'), []);
      ({ lastEventId } = source);
    }
    await publishing;
    assert.deepEqual(all, upTo(total));
  });

  test('DEL-2: it resumes from before the first publication, in the query, too, and many pages behind', async (t) => {
    const first = read(t, 'log:early');
    await ready(first);
    first.close();
    await publish('log:early', 1, 900);
    const source = read(t, 'log:early', { more: `&lastEventId=${first.lastEventId}` });
    await eventually(() => source.events.length === 900);
    assert.deepEqual(offsets(source), upTo(900));
  });

  test('DEL-9: what is not kept any more is told as a gap, and so is an id that is none', async (t) => {
    const first = read(t, 'short:a,log:whole');
    await ready(first);
    await eventually(() => Buffer.from(first.lastEventId, 'base64url').toString().includes('short:a'));
    first.close();
    await publish('short:a', 1, 10);
    const source = read(t, 'short:a,log:whole', { lastEventId: first.lastEventId });
    await eventually(() => source.ofType('gap').length === 1);
    const [gap] = seen(source, 'gap');
    assert.deepEqual([gap?.channel, gap?.offset], ['short:a', 10]);
    await publish('short:a', 11, 11);
    await eventually(() => source.events.length === 2);
    assert.deepEqual(offsets(source), [11]);
    const nonsense = read(t, 'short:a', { lastEventId: 'nonsense' });
    await eventually(() => nonsense.ofType('gap').length === 1);
  });

  test('CON-1: an idle stream carries comments, and is not cut by the time-outs of requests', async (t) => {
    const source = read(t, 'live:idle');
    await eventually(() => source.comments >= 12, { withinMs: 20_000 });
    await node.server.publish('live:idle', 'still here');
    await eventually(() => source.events.length === 1);
  });

  test('S24: a channel that is not allowed is refused, a bad token is 401, and capabilities count', async (t) => {
    const source = read(t, 'closed:a,log:open');
    await eventually(() => source.ofType('refused').length === 1);
    assert.deepEqual(JSON.parse(source.events[0]?.data ?? ''), {
      channel: 'closed:a',
      code: 103,
      message: JSON.parse(source.events[0]?.data ?? '').message,
    });
    await node.server.publish('closed:a', 1);
    await node.server.publish('log:open', 1);
    await eventually(() => source.ofType('message').length === 1);
    assert.equal(seen(source)[0]?.channel, 'log:open');
    const bad = read(t, 'log:open', { token: 'nonsense' });
    await bad.ended;
    assert.equal(bad.status, 401);
    const expired = read(t, 'log:open', { token: await node.token({ user: 'ann', expiresAtMs: Date.now() - 60_000 }) });
    await expired.ended;
    assert.equal(expired.status, 401);
    const caps = [{ channels: ['closed:*'], allow: ['subscribe' as const] }];
    const allowed = read(t, 'closed:a', { token: await node.token({ user: 'ann', capabilities: caps }) });
    await eventually(() => allowed.comments > 0);
    await node.server.publish('closed:a', 2);
    await eventually(() => seen(allowed).length === 1);
  });

  test('channels of the token are resumed, too', async (t) => {
    const token = await node.token({ user: 'ann', channels: ['log:given'] });
    const first = read(t, '', { token });
    await ready(first);
    first.close();
    await publish('log:given', 1, 3);
    const source = read(t, '', { token, lastEventId: first.lastEventId });
    await eventually(() => source.events.length === 3);
    assert.deepEqual(offsets(source), [1, 2, 3]);
  });

  test('a channel that is new to a reader that comes back has no gap', async (t) => {
    const first = read(t, 'log:old');
    await ready(first);
    first.close();
    await publish('log:new', 1, 2);
    const source = read(t, 'log:old,log:new', { lastEventId: first.lastEventId });
    await eventually(() => Buffer.from(source.lastEventId, 'base64url').toString().includes('log:new'));
    await publish('log:new', 3, 3);
    await eventually(() => source.events.length === 1);
    assert.deepEqual([offsets(source), source.ofType('gap')], [[3], []]);
  });

  test('joins and leaves are events of their own', async (t) => {
    const source = read(t, 'here:room');
    await eventually(() => source.comments > 0);
    const { tutti } = await connectClient(node, { user: 'bob' });
    t.after(() => tutti.close());
    const subscription = tutti.subscribe('here:room');
    await eventually(() => source.ofType('join').length > 0);
    subscription.unsubscribe();
    await eventually(() => source.ofType('leave').length > 0);
    assert.match(source.ofType('join').at(-1)?.data ?? '', /"user":"bob"/);
  });

  test('CON-3: a node that stops says so, and the reader is told to come back', async (t) => {
    const other = await startNode({ namespaces: { live: {} }, settings: { allowAnonymous: true, drainTimeMs: 100 } });
    t.after(() => other.close());
    const source = new PlainEventSource(`${other.url}/connection/uni_sse?channels=live:a`);
    await eventually(() => source.status === 200);
    const report = await other.server.drain();
    await source.ended;
    assert.deepEqual([report.connections, report.cut], [1, 0]);
    const [told] = source.ofType('disconnect').map(({ data }) => JSON.parse(data) as Record<string, unknown>);
    assert.deepEqual([told?.['code'], told?.['reconnect']], [3001, true]);
    assert.ok((source.retryMs ?? 0) >= 500);
  });
});
