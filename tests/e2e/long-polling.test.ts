import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connectClient, eventually, startNode, type StartedNode } from '@tutti/testkit';
import type { Position } from '@tutti/protocol';

/** A reader without any SDK, one request after another. */

const secondsMax = 20;
let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: {
      log: { historySize: 2_000 },
      short: { historySize: 3 },
      live: {},
      closed: { allowSubscribe: 'token' },
      here: { historySize: 10, presence: true, joinLeave: true },
    },
    settings: {
      pollWaitMs: secondsMax * 1_000,
      allowAnonymous: true,
      allowedOrigins: ['https://app.example.com'],
      connectRateMax: 0,
      // A busy machine is not what is tested here.
      loopLagMaxMs: 0,
    },
  });
});
after(() => node.close());

interface Channel {
  readonly recoverable?: boolean;
  readonly epoch?: string;
  readonly offset?: number;
  readonly gap?: boolean;
  readonly skipped?: number;
  readonly refused?: { code: number };
  readonly publications: readonly { offset?: number; data: { n: number } }[];
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly cursor: string;
  readonly channels: Readonly<Record<string, Channel>>;
}

interface PollOptions {
  readonly cursor?: string;
  readonly wait?: number;
  readonly headers?: Record<string, string>;
  readonly token?: string;
  readonly origin?: string;
}

async function answerOf(response: Response): Promise<Answer> {
  const { status, headers } = response;
  const text = await response.text();
  const body = (status === 200 ? JSON.parse(text) : {}) as Partial<Answer>;
  return { status, headers, cursor: body.cursor ?? '', channels: body.channels ?? {} };
}

async function poll(channels: string, { cursor, wait, headers = {}, token }: PollOptions = {}): Promise<Answer> {
  const query = new URLSearchParams({
    channels,
    ...(cursor === undefined ? {} : { cursor }),
    ...(wait === undefined ? {} : { wait: String(wait) }),
    ...(token === undefined ? {} : { token }),
  });
  return answerOf(await fetch(`${node.url}/connection/poll?${query.toString()}`, { headers }));
}

async function post(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const init = { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
  return answerOf(await fetch(`${node.url}/connection/poll`, init));
}

function offsets(answer: Answer, channel: string): (number | undefined)[] {
  return (answer.channels[channel]?.publications ?? []).map(({ offset }) => offset);
}

const upTo = (count: number, from = 1): number[] => Array.from({ length: count - from + 1 }, (_, i) => from + i);

async function publish(channel: string, from: number, to: number, text = ''): Promise<void> {
  for (let n = from; n <= to; n += 1) await node.server.publish(channel, { n, text });
}

describe('long polling', { concurrency: true }, () => {
  test('the first poll answers at once and says where the reader stands; the next tells what came after', async () => {
    await publish('log:first', 1, 2);
    const first = await poll('log:first');
    assert.deepEqual([first.status, offsets(first, 'log:first')], [200, []]);
    const { recoverable, offset, gap } = first.channels['log:first'] ?? {};
    assert.deepEqual([recoverable, offset, gap], [true, 2, undefined]);
    assert.equal(first.headers.get('etag'), `"${first.cursor}"`);
    await publish('log:first', 3, 5);
    const next = await poll('log:first', { cursor: first.cursor });
    assert.deepEqual(offsets(next, 'log:first'), [3, 4, 5]);
    assert.deepEqual(next.channels['log:first']?.publications[0]?.data, { n: 3, text: '' });
  });

  test('a poll with nothing to tell waits for the first publication', async (t) => {
    const other = await startNode({ namespaces: { log: { historySize: 10 } }, settings: { allowAnonymous: true } });
    t.after(() => other.close());
    const url = `${other.url}/connection/poll?channels=log:waits`;
    const { cursor } = await answerOf(await fetch(url));
    const waiting = fetch(`${url}&cursor=${cursor}`);
    await eventually(() => other.server.figures().subscriptions === 1);
    await other.server.publish('log:waits', { n: 1 });
    assert.deepEqual(offsets(await answerOf(await waiting), 'log:waits'), [1]);
  });

  test('DEL-2: one poll after another misses nothing and doubles nothing, whenever what is published', async () => {
    const all: (number | undefined)[] = [];
    let { cursor } = await poll('log:a,log:b');
    const publishing = Promise.all([publish('log:a', 1, 400), publish('log:b', 1, 10)]);
    const others: (number | undefined)[] = [];
    while (all.length < 400 || others.length < 10) {
      const answer = await poll('log:a,log:b', { cursor });
      all.push(...offsets(answer, 'log:a'));
      others.push(...offsets(answer, 'log:b'));
      ({ cursor } = answer);
    }
    await publishing;
    assert.deepEqual([all, others], [upTo(400), upTo(10)]);
  });

  test('DEL-2: many pages behind, each answer is bounded and the cursor goes on from it', async () => {
    const { cursor } = await poll('log:pages');
    await publish('log:pages', 1, 600, 'x'.repeat(2_000));
    const all: (number | undefined)[] = [];
    let at = cursor;
    let polls = 0;
    while (all.length < 600) {
      const answer = await poll('log:pages', { cursor: at });
      const seen = offsets(answer, 'log:pages');
      assert.ok(seen.length > 0 && seen.length < 200, `${seen.length} in one answer`);
      all.push(...seen);
      at = answer.cursor;
      polls += 1;
    }
    assert.deepEqual(all, upTo(600));
    assert.ok(polls > 3);
  });

  test('the entity tag is the cursor, and what a reader already has is 304', async () => {
    await publish('log:tag', 1, 1);
    const first = await poll('log:tag');
    const tag = first.headers.get('etag') ?? '';
    const same = await poll('log:tag', { headers: { 'If-None-Match': tag }, wait: 0 });
    assert.deepEqual([same.status, same.headers.get('etag')], [304, tag]);
    await publish('log:tag', 2, 2);
    // As a compressing proxy gives it back.
    const news = await poll('log:tag', { headers: { 'If-None-Match': `W/${tag}` }, wait: 0 });
    assert.deepEqual([news.status, offsets(news, 'log:tag')], [200, [2]]);
    const unasked = await poll('log:tag', { cursor: news.cursor, wait: 0 });
    assert.deepEqual([unasked.status, unasked.cursor, offsets(unasked, 'log:tag')], [200, news.cursor, []]);
  });

  test('DEL-9: what is not kept any more is told as a gap, and so is a cursor that is none', async () => {
    const { cursor } = await poll('short:a');
    await publish('short:a', 1, 10);
    const answer = await poll('short:a', { cursor });
    const { gap, offset, publications } = answer.channels['short:a'] ?? {};
    assert.deepEqual([gap, offset, publications], [true, 10, []]);
    const nonsense = await poll('short:a', { cursor: 'nonsense' });
    assert.equal(nonsense.channels['short:a']?.gap, true);
    const after = await poll('short:a', { cursor: answer.cursor, wait: 0 });
    assert.equal(after.channels['short:a']?.gap, undefined);
  });

  test('a body names positions by channel', async () => {
    await publish('log:body', 1, 3);
    const { epoch = '' } = (await poll('log:body')).channels['log:body'] ?? {};
    const at = (offset: number): Position => ({ epoch, offset });
    const answer = await post({ channels: { 'log:body': at(1), 'log:new': {} }, data: { any: 1 }, wait: 1 });
    assert.deepEqual(offsets(answer, 'log:body'), [2, 3]);
    assert.deepEqual([answer.channels['log:new']?.offset, answer.channels['log:new']?.gap], [0, undefined]);
    const list = await post({ channels: ['log:body'], cursor: answer.cursor, wait: 0 });
    assert.deepEqual([list.status, offsets(list, 'log:body')], [200, []]);
  });

  test('a channel that keeps nothing says so, and tells what comes while a poll waits', async () => {
    let answer: Answer | undefined;
    const waiting = poll('live:a').then((told) => (answer = told));
    // Of those that came before the poll did, nothing is kept.
    await eventually(() => node.server.publish('live:a', { n: 1 }).then(() => answer !== undefined));
    const { recoverable, publications } = (await waiting).channels['live:a'] ?? {};
    assert.deepEqual([recoverable, answer?.cursor, answer?.headers.get('etag')], [false, '', null]);
    assert.deepEqual(publications?.[0]?.data, { n: 1 });
  });

  test('S24: the rules of every transport hold: origin, token, rights, method, size', async () => {
    assert.equal((await poll('log:x', { headers: { Origin: 'https://evil.example' } })).status, 403);
    const allowed = await poll('log:x', { headers: { Origin: 'https://app.example.com' } });
    assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://app.example.com');
    assert.equal(allowed.headers.get('access-control-expose-headers'), 'ETag');
    assert.equal((await poll('log:x', { token: 'nonsense' })).status, 401);
    assert.equal((await poll('closed:a')).status, 403);
    const mixed = await poll('closed:a,log:x');
    assert.deepEqual([mixed.status, mixed.channels['closed:a']?.refused?.code], [200, 103]);
    const caps = [{ channels: ['closed:*'], allow: ['subscribe' as const] }];
    const token = await node.token({ user: 'ann', capabilities: caps });
    const bearer = { Authorization: `Bearer ${token}` };
    assert.equal((await poll('closed:a', { headers: bearer, wait: 0 })).status, 200);
    assert.equal((await post({ channels: ['closed:a'], token, wait: 0 })).status, 200);
    assert.equal((await poll('')).status, 400);
    assert.equal((await poll('log:x', { wait: -1 })).status, 400);
    assert.equal((await post({ channels: ['log:x'], data: 'x'.repeat(70_000) })).status, 413);
    assert.equal((await fetch(`${node.url}/connection/poll`, { method: 'PUT' })).status, 405);
  });

  test('S2: bodies of any shape are refused, and the node goes on', async () => {
    const bodies = ['', '[', 'null', '7', '"a"', '[]', '{"channels":7}', '{"channels":[7]}', '{"channels":{"a":1}}'];
    const odd = [
      '{"channels":{"a":{"epoch":1}}}',
      '{"channels":{"a":{"epoch":"e","offset":-1}}}',
      '{"channels":["a"],"token":1}',
    ];
    for (const body of [...bodies, ...odd]) {
      const { status } = await post(body);
      assert.equal(status, 400, body);
    }
    assert.equal((await poll(Array.from({ length: 65 }, (_, i) => `log:${i}`).join(','))).status, 400);
    assert.equal((await poll('log:x')).status, 200);
  });

  test('PRE-1: a reader that polls is no member, and nobody is told that it comes and goes', async (t) => {
    const { tutti, follow } = await connectClient(node, { user: 'bob' });
    t.after(() => tutti.close());
    const { events } = await follow('here:room');
    for (let i = 0; i < 3; i += 1) await poll('here:room', { wait: 0 });
    await node.server.publish('here:room', { n: 1 });
    await events.count('publication', 1);
    assert.deepEqual(
      [...events.all('join'), ...events.all('leave')].filter(({ info }) => info.user !== 'bob'),
      [],
    );
    assert.equal(Object.keys(await tutti.presence('here:room')).length, 1);
  });

  test('a reader that went away leaves nothing behind, and a node that stops answers 503', async () => {
    const other = await startNode({ namespaces: { log: { historySize: 10 } }, settings: { allowAnonymous: true } });
    const abort = new AbortController();
    const url = `${other.url}/connection/poll?channels=log:a`;
    const first = await answerOf(await fetch(url));
    const gone = fetch(`${url}&cursor=${first.cursor}`, { signal: abort.signal }).catch(() => undefined);
    await eventually(() => other.server.figures().connections === 1);
    abort.abort();
    await gone;
    await eventually(() => other.server.figures().connections === 0);
    const waiting = fetch(`${url}&cursor=${first.cursor}`);
    await eventually(() => other.server.figures().connections === 1);
    await other.close();
    const { status, headers } = await waiting;
    assert.equal(status, 503);
    assert.ok(Number(headers.get('retry-after')) >= 1);
  });
});

// By itself: it leaves the others no time.
test('BP-1: a channel without history that is flooded while a hook is slow costs no more than one answer', async (t) => {
  const asked = Promise.withResolvers<undefined>();
  const allowed = Promise.withResolvers<undefined>();
  const other = await startNode({
    namespaces: { live: {}, slow: { subscribeHook: true } },
    settings: { allowAnonymous: true, loopLagMaxMs: 0, hookTimeoutMs: 60_000, hookTotalTimeoutMs: 60_000 },
    hooks: {
      subscribe: async () => {
        asked.resolve(undefined);
        await allowed.promise;
        return {};
      },
    },
  });
  t.after(() => other.close());
  const waiting = fetch(`${other.url}/connection/poll?channels=live:x,slow:x`);
  await asked.promise;
  await eventually(() => other.server.figures().subscriptions === 1);
  for (let n = 1; n <= 800; n += 1) {
    await other.server.publish('live:x', { n, text: 'x'.repeat(1_000) });
    await new Promise((resolve) => setImmediate(resolve));
  }
  allowed.resolve(undefined);
  const answer = await answerOf(await waiting);
  const { publications = [], skipped = 0 } = answer.channels['live:x'] ?? {};
  assert.ok(publications.length > 50 && publications.length < 300, `${publications.length} publications`);
  assert.ok(skipped > 0, 'those left out are told');
  const metrics = await (await fetch(other.server.metricsUrl)).text();
  assert.match(metrics, new RegExp(`^tutti_poll_publications_dropped_total ${skipped}$`, 'm'));
});
