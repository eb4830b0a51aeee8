import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { openNamespace } from '@tutti/testkit/core-node';
import type { Namespace } from '../config/namespace.ts';
import { JoinLeave } from './join-leave.ts';

const channel = 'room';
const phone = { user: 'ann', client: 'phone' };
const laptop = { user: 'ann', client: 'laptop' };

function arrange(options: Partial<Namespace>): { clock: VirtualClock; told: string[]; joinLeave: JoinLeave } {
  const clock = new VirtualClock();
  const told: string[] = [];
  const namespace = openNamespace('room', { presence: true, joinLeave: true, ...options });
  const joinLeave = new JoinLeave({
    clock,
    namespaceOf: (name) => (name === channel ? namespace : undefined),
    announce: (_channel, kind, { client }) => told.push(`${kind} ${client}`),
  });
  return { clock, told, joinLeave };
}

test('PRE-2: by connection every device is told, by user the first that comes and the last that goes', () => {
  const tell = (options: Partial<Namespace>): string[] => {
    const { told, joinLeave } = arrange(options);
    joinLeave.join(channel, phone, true);
    joinLeave.join(channel, laptop, false);
    joinLeave.leave(channel, phone, false);
    joinLeave.leave(channel, laptop, true);
    joinLeave.join('elsewhere', phone, true);
    return told;
  };
  assert.deepEqual(tell({}), ['join phone', 'join laptop', 'leave phone', 'leave laptop']);
  assert.deepEqual(tell({ joinLeaveBy: 'user' }), ['join phone', 'leave laptop']);
  assert.deepEqual(tell({ joinLeave: false }), []);
});

test('PRE-2: a user who is back within the grace was not away; one who is not is told to have left, once', () => {
  const { clock, told, joinLeave } = arrange({ joinLeaveBy: 'user', presenceGraceMs: 5_000 });
  joinLeave.join(channel, phone, true);
  for (let i = 0; i < 3; i += 1) {
    joinLeave.leave(channel, phone, true);
    clock.advance(4_000);
    joinLeave.join(channel, phone, true);
    clock.advance(4_000);
  }
  assert.deepEqual(told, ['join phone']);
  joinLeave.leave(channel, phone, true);
  clock.advance(5_001);
  joinLeave.join(channel, laptop, true);
  assert.deepEqual(told, ['join phone', 'leave phone', 'join laptop']);
  assert.equal(clock.timers, 0);
});

test('visitors without a name are not one user', () => {
  const { told, joinLeave } = arrange({ joinLeaveBy: 'user', presenceGraceMs: 5_000 });
  joinLeave.join(channel, { user: '', client: 'x' }, true);
  joinLeave.join(channel, { user: '', client: 'y' }, false);
  joinLeave.leave(channel, { user: '', client: 'x' }, false);
  assert.deepEqual(told, ['join x', 'join y', 'leave x']);
});

test('S34: those who wait to be told have a bound, and a node that stops leaves no timer', () => {
  const { clock, told, joinLeave } = arrange({ joinLeaveBy: 'user', presenceGraceMs: 60_000 });
  for (let i = 0; i < 10_002; i += 1) joinLeave.leave(channel, { user: `u${i}`, client: `c${i}` }, true);
  assert.deepEqual(told, ['leave c10000', 'leave c10001']);
  joinLeave.stop();
  assert.equal(clock.timers, 0);
});
