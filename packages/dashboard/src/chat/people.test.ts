import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joined, left, membersFrom, peopleOf } from './people.ts';

test('PRE-2: connections of one user are one person with several devices, oneself first', () => {
  const members = membersFrom([
    { client: 'c1', user: 'zoe' },
    { client: 'c2', user: 'ada' },
    { client: 'c3', user: 'me' },
    { client: 'c4', user: 'ada' },
  ]);
  assert.deepEqual(peopleOf(members, 'me'), [
    { user: 'me', devices: 1 },
    { user: 'ada', devices: 2 },
    { user: 'zoe', devices: 1 },
  ]);
});

test('a person is gone only when the last device left', () => {
  let members = membersFrom([{ client: 'c1', user: 'ada' }]);
  members = joined(members, { client: 'c2', user: 'ada' });
  members = left(members, { client: 'c1', user: 'ada' });
  assert.deepEqual(peopleOf(members, 'me'), [{ user: 'ada', devices: 1 }]);
  members = left(members, { client: 'c2', user: 'ada' });
  assert.deepEqual(peopleOf(members, 'me'), []);
});

test('a join seen twice and a leave of a stranger change nothing', () => {
  const members = membersFrom([{ client: 'c1', user: 'ada' }]);
  assert.equal(joined(members, { client: 'c1', user: 'ada' }), members);
  assert.equal(left(members, { client: 'c9', user: 'ada' }), members);
});
