import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { EndHooks, endsWaitingMax } from './end-hooks.ts';

const session = {
  ...{ client: 'c1', user: 'ann', transport: 'websocket', codec: 'json', remoteAddress: '::1', lagBytes: 7 },
};
const ending = { code: 3_001, reason: 'shutdown', byPeer: false };

function scene() {
  const lines: Record<string, unknown>[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (fields: Record<string, unknown>) => void lines.push(fields) };
  return { clock: new VirtualClock(), log, lines };
}

test('ends are told later, in order, with how far the connection lagged', () => {
  const { clock, log } = scene();
  const told: unknown[] = [];
  const hooks = new EndHooks(
    {
      disconnect: ({ client, lag, code, byPeer }) => void told.push([client, lag.bytes, code, byPeer]),
      unsubscribe: ({ tenant, channel, reason }) => void told.push([tenant, channel, reason]),
    },
    { clock, log },
  );
  hooks.unsubscribed?.({ ...session, tenant: 'acme' }, 'acme*chat:a', { code: 1, reason: 'disconnect' });
  hooks.disconnected?.(session, ending);
  assert.deepEqual(told, []);
  clock.runUntilIdle();
  assert.deepEqual(told, [
    ['acme', 'chat:a', 'disconnect'],
    ['c1', 7, 3_001, false],
  ]);
});

test('a hook that throws or rejects is logged, and the next is told', async () => {
  const { clock, log, lines } = scene();
  let told = 0;
  const hooks = new EndHooks(
    {
      disconnect: () => {
        told += 1;
        if (told === 1) throw new Error('once');
        return Promise.reject(new Error('twice'));
      },
    },
    { clock, log },
  );
  assert.equal(hooks.unsubscribed, undefined, 'what nobody wants to know costs nothing');
  hooks.disconnected?.(session, ending);
  hooks.disconnected?.(session, ending);
  await clock.runUntilIdleAsync();
  assert.deepEqual([told, lines.length], [2, 2]);
});

test('many ends at once take many turns of the loop; those beyond the bound are counted, not kept', () => {
  const { clock, log, lines } = scene();
  let told = 0;
  const hooks = new EndHooks({ disconnect: () => (told += 1) }, { clock, log });
  for (let i = 0; i < endsWaitingMax + 3; i += 1) hooks.disconnected?.(session, ending);
  clock.step();
  assert.ok(told > 0 && told <= 100, String(told));
  clock.runUntilIdle();
  assert.equal(told, endsWaitingMax);
  assert.deepEqual(
    lines.map(({ missed }) => missed),
    [3],
  );
});
