import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Disconnect, disconnects, Rejection, rejections } from '@tutti/protocol';
import { hooksConformance, VirtualClock, type HookScript, type SeenAsk } from '@tutti/testkit';
import type { HookContext, HookFunctions } from '../config/hook-functions.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import { Counters } from '../telemetry/counters.ts';
import { guardedHooks } from './guarded-hooks.ts';
import { hookNames, type HookAsk, type HookName } from './hooks.ts';
import { inProcessHooks } from './in-process.ts';

function answer(script: HookScript): unknown {
  if (script === 'hangs') return new Promise(() => undefined);
  if (script === 'fails') throw new Error('the application has a bug');
  if (script === 'garbage') return 'yes';
  return 'grant' in script ? script.grant : script;
}

hooksConformance('in-process', async ({ script, callsMax }) => {
  const seen: SeenAsk[] = [];
  const functionOf =
    (hook: HookName) =>
    (context: HookContext & { channel?: string; data?: unknown }): unknown => {
      const { client, user, channel, data, meta, lag, headers } = context;
      seen.push({ hook, client, user, channel, data, meta, lagBytes: lag.bytes, kept: headers['x-kept'] });
      return answer(script(hook));
    };
  const functions = Object.fromEntries(hookNames.map((hook) => [hook, functionOf(hook)])) as HookFunctions;
  const options = { connectFor: 'no_token', timeoutMs: 50, callsMax } as const;
  const seams = { clock: new SystemClock(), telemetry: new Counters() };
  return {
    hooks: guardedHooks(inProcessHooks(functions, { hasTenants: false }), options, seams),
    seen,
    dispose: () => undefined,
  };
});

const asker: HookAsk = {
  ...{
    client: 'c',
    user: 'ann',
    transport: 'websocket',
    codec: 'json',
    remoteAddress: '::1',
    headers: {},
    lagBytes: 0,
  },
};

function guarded(functions: HookFunctions, hasTenants = false) {
  const clock = new VirtualClock();
  const lines: Record<string, unknown>[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (fields: Record<string, unknown>) => void lines.push(fields) };
  const telemetry = new Counters(log);
  const options = { connectFor: 'no_token', timeoutMs: 1_000, callsMax: 10 } as const;
  return {
    hooks: guardedHooks(inProcessHooks(functions, { hasTenants }), options, { clock, telemetry }),
    telemetry,
    lines,
    clock,
  };
}

test('a function that returns nothing has granted nothing', async () => {
  const { hooks } = guarded({ rpc: () => undefined });
  await assert.rejects(hooks.rpc!({ ...asker, method: 'x', data: new Uint8Array() }), {
    kind: rejections.permissionDenied,
  });
});

test("the protocol's own errors are refusals, thrown or rejected with", async () => {
  const { hooks } = guarded({
    refresh: () => {
      throw new Rejection(rejections.badRequest, 'no');
    },
    subRefresh: () => Promise.reject(new Disconnect(disconnects.permissionDenied)),
  });
  await assert.rejects(hooks.refresh!(asker), { message: 'no' });
  await assert.rejects(hooks.subRefresh!({ ...asker, channel: 'a:b' }), { kind: disconnects.permissionDenied });
});

test('S23: a disconnect with a code that is none is a mistake of the hook, and ends no process', async () => {
  const { hooks } = guarded({
    refresh: () => {
      throw new Disconnect({ code: 1_005, reason: 'bye', meaning: '' });
    },
  });
  await assert.rejects(hooks.refresh!(asker), { kind: rejections.hookUnavailable });
});

test('bytes that are no JSON reach no JSON frame, and stay bytes where they may be', async () => {
  const raw = new Uint8Array([0xff, 0x00]);
  const seen: unknown[] = [];
  const { hooks } = guarded({
    rpc: ({ data }) => {
      seen.push(data);
      return { data: raw };
    },
  });
  const ask = { ...asker, method: 'x', data: raw };
  await assert.rejects(hooks.rpc!(ask), { kind: rejections.hookUnavailable });
  assert.deepEqual((await hooks.rpc!({ ...ask, codec: 'protobuf' })).data, raw);
  assert.deepEqual(seen, [raw, raw]);
});

test('a date is a time; the signal tells when nobody waits any more', async () => {
  let signal: AbortSignal | undefined;
  const { hooks, clock } = guarded({
    refresh: () => ({ expiresAt: new Date(1_900_000_000_000) }),
    subRefresh: (context) => {
      signal = context.signal;
      return new Promise(() => undefined);
    },
  });
  assert.equal((await hooks.refresh!(asker)).expiresAtMs, 1_900_000_000_000);
  const hanging = assert.rejects(hooks.subRefresh!({ ...asker, channel: 'a:b' }), { kind: rejections.hookUnavailable });
  await clock.advanceAsync(999);
  assert.equal(signal?.aborted, false);
  await clock.advanceAsync(1);
  await hanging;
  assert.equal(signal?.aborted, true);
  assert.equal(clock.timers, 0);
});

test('each outcome is counted; failures are said at once, then seldom, with how many there were', async () => {
  let fails = true;
  const { hooks, telemetry, lines, clock } = guarded({
    refresh: () => {
      if (fails) throw new Error('down');
      return {};
    },
  });
  for (let i = 0; i < 5; i += 1) await assert.rejects(hooks.refresh!(asker));
  assert.equal(lines.length, 1);
  clock.advance(10_000);
  await assert.rejects(hooks.refresh!(asker));
  assert.deepEqual(
    lines.map(({ times, hook, outcome }) => [times, hook, outcome]),
    [
      [1, 'refresh', 'failed'],
      [5, 'refresh', 'failed'],
    ],
  );
  fails = false;
  await hooks.refresh!(asker);
  assert.deepEqual([...telemetry.labelled('hook_calls_failed')], [['refresh', 6]]);
  assert.deepEqual([...telemetry.labelled('hook_calls_ok')], [['refresh', 1]]);
});

test('S11: where there are tenants an answer says whose user it is; elsewhere it must not', async () => {
  const ask = { ...asker, user: '', isVerified: false, name: '', version: '' };
  const tenants: [hasTenants: boolean, tenant: string | undefined, granted: string | false | undefined][] = [
    [true, 'acme', 'acme'],
    [true, '', undefined],
    [true, undefined, false],
    [true, 'a*b', false],
    [false, undefined, undefined],
    [false, 'acme', false],
  ];
  for (const [hasTenants, tenant, granted] of tenants) {
    const answer = { user: 'ann', ...(tenant === undefined ? {} : { tenant }) };
    const { hooks } = guarded({ connect: () => answer }, hasTenants);
    const outcome = await hooks.connect!(ask).then(
      (grant) => grant.tenant,
      () => false as const,
    );
    assert.equal(outcome, granted, JSON.stringify([hasTenants, tenant]));
  }
  const { hooks } = guarded({ connect: () => ({ tenant: 'other' }) }, true);
  await assert.rejects(hooks.connect!({ ...ask, user: 'ann', tenant: 'acme', isVerified: true }));
});
