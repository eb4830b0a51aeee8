import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Disconnect, Rejection, rejections } from '@tutti/protocol';
import type { ConnectAsk, HookAsk, HookName, Hooks } from '@tutti/server/internal';

/** What the application does when it is asked. `grant`: members as a function returns them, times in milliseconds. */
export type HookScript =
  | { readonly grant: Readonly<Record<string, unknown>> }
  | { readonly error: Readonly<Record<string, unknown>> }
  | { readonly disconnect: Readonly<Record<string, unknown>> }
  | 'hangs'
  | 'fails'
  | 'garbage';

/** What the application was asked, told by its own words for it. */
export interface SeenAsk {
  readonly hook: HookName;
  readonly client: unknown;
  readonly user: unknown;
  readonly channel: unknown;
  readonly data: unknown;
  readonly meta: unknown;
  readonly lagBytes: unknown;
  /** The header `x-kept`. */
  readonly kept: unknown;
}

export interface HooksUnderTest {
  readonly hooks: Hooks;
  /** Oldest first. */
  readonly seen: readonly SeenAsk[];
  dispose(): Promise<void> | void;
}

export interface HooksSetup {
  readonly callsMax: number;
  readonly script: (hook: HookName) => HookScript;
}

const timeout = 30_000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const shown = (payload: Uint8Array | undefined): unknown =>
  payload === undefined ? undefined : JSON.parse(new TextDecoder().decode(payload));

const asker: HookAsk = {
  ...{ client: 'c1', user: 'ann', transport: 'websocket', codec: 'json', remoteAddress: '127.0.0.1' },
  headers: { 'x-kept': 'yes' },
  meta: bytes('{"plan":"pro"}'),
  ...{ lagBytes: 512, lagMs: 3 },
};
const connectAsk: ConnectAsk = { ...asker, user: '', isVerified: false, name: 'js', version: '1' };
const channelAsk = { ...asker, channel: 'chat:a' };
const publishAsk = { ...channelAsk, data: bytes('{"text":"hi"}'), payload: 'json' as const };

/** Calls one hook with an ask of its kind. */
function callOf(hooks: Hooks, name: HookName): Promise<unknown> {
  switch (name) {
    case 'connect':
      return hooks.connect!({ ...connectAsk, data: bytes('{"x":1}') });
    case 'refresh':
      return hooks.refresh!(asker);
    case 'subscribe':
      return hooks.subscribe!({ ...channelAsk, data: bytes('[1]') });
    case 'subRefresh':
      return hooks.subRefresh!(channelAsk);
    case 'publish':
      return hooks.publish!(publishAsk);
    case 'rpc':
      return hooks.rpc!({ ...asker, method: 'sum', data: bytes('[1,2]') });
  }
}

const names: readonly HookName[] = ['connect', 'refresh', 'subscribe', 'subRefresh', 'publish', 'rpc'];

// long on purpose: one flat list of promises, to be read from top to bottom beside hooks.ts
/** The promises of `Hooks`, for every implementation. `make`: hooks that ask an application which does what the script says; calls time out soon. */
export function hooksConformance(name: string, make: (setup: HooksSetup) => Promise<HooksUnderTest>): void {
  const start = async (
    t: TestContext,
    script: HookScript | HooksSetup['script'],
    callsMax = 100,
  ): Promise<HooksUnderTest> => {
    const made = await make({ callsMax, script: typeof script === 'function' ? script : () => script });
    t.after(() => made.dispose());
    return made;
  };
  const check = (title: string, run: (t: TestContext) => Promise<void>): void => {
    test(`${name}: ${title}`, { timeout }, run);
  };

  check('connect is granted with all that an identity has', async (t) => {
    const { hooks } = await start(t, {
      grant: {
        user: 'ann',
        expiresAt: 1_900_000_000_000,
        info: { name: 'Ann' },
        data: [1, 'two'],
        meta: { plan: 'pro' },
        channels: ['news:all'],
        capabilities: [{ channels: ['chat:*'], allow: ['publish'] }],
      },
    });
    const granted = await hooks.connect!(connectAsk);
    assert.deepEqual([granted.user, granted.expiresAtMs], ['ann', 1_900_000_000_000]);
    assert.deepEqual([granted.info, granted.data, granted.meta].map(shown), [
      { name: 'Ann' },
      [1, 'two'],
      { plan: 'pro' },
    ]);
    assert.deepEqual(
      [granted.channels, granted.capabilities],
      [['news:all'], [{ channels: ['chat:*'], allow: ['publish'] }]],
    );
  });

  check('the application sees who asks, and what for', async (t) => {
    const { hooks, seen } = await start(t, { grant: { user: 'ann' } });
    for (const each of names) await callOf(hooks, each);
    assert.deepEqual(
      seen.map(({ hook }) => hook),
      names,
    );
    const common = { client: 'c1', user: 'ann', meta: { plan: 'pro' }, lagBytes: 512, kept: 'yes' };
    for (const { hook, client, user, meta, lagBytes, kept } of seen.slice(1)) {
      assert.deepEqual({ client, user, meta, lagBytes, kept }, common, hook);
    }
    assert.deepEqual(
      seen.map(({ channel }) => channel),
      [undefined, undefined, 'chat:a', 'chat:a', 'chat:a', undefined],
    );
    assert.deepEqual(
      seen.map(({ data }) => data),
      [{ x: 1 }, undefined, [1], undefined, { text: 'hi' }, [1, 2]],
    );
  });

  check('data, info and time come through; a refresh may end what it was asked about', async (t) => {
    const { hooks } = await start(t, (hook) =>
      hook === 'refresh'
        ? { grant: { expired: true } }
        : { grant: { data: { sum: 3 }, info: { role: 'guest' }, expiresAt: 1_900_000_000_000 } },
    );
    const subscribed = await hooks.subscribe!(channelAsk);
    assert.deepEqual(
      [shown(subscribed.data), shown(subscribed.info), subscribed.expiresAtMs],
      [{ sum: 3 }, { role: 'guest' }, 1_900_000_000_000],
    );
    assert.equal((await hooks.subRefresh!(channelAsk)).expiresAtMs, 1_900_000_000_000);
    assert.deepEqual(shown((await hooks.publish!(publishAsk)).data), { sum: 3 });
    assert.equal((await hooks.refresh!(asker)).expiresAtMs, 0);
  });

  check('an empty grant grants, and changes nothing', async (t) => {
    const { hooks } = await start(t, { grant: {} });
    assert.deepEqual(await hooks.publish!(publishAsk), {});
    assert.deepEqual(await hooks.subscribe!(channelAsk), {});
    assert.deepEqual(await hooks.refresh!(asker), {});
  });

  for (const each of names) {
    check(`${each} is refused with the error of the application`, async (t) => {
      const { hooks } = await start(t, { error: { code: 1_234, message: 'not you', temporary: true } });
      await assert.rejects(callOf(hooks, each), (error: unknown) => {
        assert.ok(error instanceof Rejection);
        assert.deepEqual([error.kind.code, error.message, error.kind.temporary], [1_234, 'not you', true]);
        return true;
      });
    });

    check(`${each} ends the connection where the application says so`, async (t) => {
      const { hooks } = await start(t, { disconnect: { code: 4_501, reason: 'banned' } });
      await assert.rejects(callOf(hooks, each), (error: unknown) => {
        assert.ok(error instanceof Disconnect);
        assert.deepEqual([error.kind.code, error.kind.reason], [4_501, 'banned']);
        return true;
      });
    });

    for (const how of ['hangs', 'fails', 'garbage'] as const) {
      check(
        `${each} of an application that ${how === 'garbage' ? 'answers garbage' : how} is a temporary error`,
        async (t) => {
          const { hooks } = await start(t, how);
          await assert.rejects(callOf(hooks, each), unavailable);
        },
      );
    }
  }

  const unsound: readonly [what: string, script: HookScript][] = [
    ['without a user', { grant: {} }],
    ['with a user that is no text', { grant: { user: 7 } }],
    ['with a control character in the user', { grant: { user: 'a\u0000b' } }],
    ['with a user that is too long', { grant: { user: 'x'.repeat(191) } }],
    ['with a time that is none', { grant: { user: 'ann', expiresAt: 'soon' } }],
    ['with channels that are no list', { grant: { user: 'ann', channels: 'news:all' } }],
    [
      'with a right that does not exist',
      { grant: { user: 'ann', capabilities: [{ channels: ['a'], allow: ['all'] }] } },
    ],
    ['with too much info', { grant: { user: 'ann', info: 'x'.repeat(70_000) } }],
    ['with an error code that is not its own', { error: { code: 100, message: 'x' } }],
    ['with an error without a code', { error: { message: 'x' } }],
    ['with a close code that is not its own', { disconnect: { code: 3_000, reason: 'x' } }],
  ];
  for (const [what, script] of unsound) {
    check(`an answer ${what} grants nothing`, async (t) => {
      const { hooks } = await start(t, script);
      await assert.rejects(hooks.connect!(connectAsk), unavailable);
    });
  }

  check('of a verified client the user stays that of the token', async (t) => {
    const verified = { ...connectAsk, user: 'ann', isVerified: true };
    const silent = await start(t, { grant: {} });
    assert.equal((await silent.hooks.connect!(verified)).user, 'ann');
    const other = await start(t, { grant: { user: 'bob' } });
    await assert.rejects(other.hooks.connect!(verified), unavailable);
  });

  check('calls beyond the bound are refused at once, and another hook is not concerned', async (t) => {
    const { hooks } = await start(t, (hook) => (hook === 'rpc' ? 'hangs' : { grant: {} }), 2);
    const hanging = [callOf(hooks, 'rpc'), callOf(hooks, 'rpc')].map((call) => assert.rejects(call, unavailable));
    await assert.rejects(callOf(hooks, 'rpc'), (error: unknown) => {
      assert.ok(error instanceof Rejection);
      assert.equal(error.kind, rejections.tooManyRequests);
      return true;
    });
    assert.deepEqual(await hooks.publish!(publishAsk), {});
    await Promise.all(hanging);
    await assert.rejects(callOf(hooks, 'rpc'), unavailable, 'the places are free again');
  });
}

function unavailable(error: unknown): boolean {
  assert.ok(error instanceof Rejection, String(error));
  assert.equal(error.kind, rejections.hookUnavailable);
  assert.equal(error.message, rejections.hookUnavailable.message, 'the client learns nothing of the cause');
  return true;
}
