import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addOutgoing,
  addPublications,
  emptyMessageList,
  forgetStored,
  oldestOffset,
  outgoingMessagesMax,
  removeOutgoing,
  setOutgoing,
  storedMessagesMax,
} from './message-list.ts';
import type { LivePublication } from '../live.ts';

function publication(offset: number, text: string, user = 'ada', id?: string): LivePublication {
  return { data: id === undefined ? { text } : { text, id }, offset, user, timeMs: 1000 + offset };
}

test('DEL-1: live publications and an overlapping page of history give each message once, in offset order', () => {
  let list = addPublications(emptyMessageList, [publication(5, 'five'), publication(6, 'six')], 'e1', 'me');
  list = addPublications(list, [publication(5, 'five'), publication(4, 'four'), publication(3, 'three')], 'e1', 'me');
  assert.deepEqual(
    list.stored.map((message) => message.text),
    ['three', 'four', 'five', 'six'],
  );
  assert.equal(oldestOffset(list), 3);
});

test('a message that is shown already keeps its identity, so that it is not drawn again', () => {
  const first = addPublications(emptyMessageList, [publication(1, 'one')], 'e1', 'me');
  const second = addPublications(first, [publication(1, 'one'), publication(2, 'two')], 'e1', 'me');
  assert.equal(second.stored[0], first.stored[0]);
});

test('DEL-3: another epoch replaces what was shown', () => {
  const first = addPublications(emptyMessageList, [publication(9, 'old')], 'e1', 'me');
  const second = addPublications(first, [publication(1, 'new')], 'e2', 'me');
  assert.deepEqual(
    second.stored.map((message) => message.text),
    ['new'],
  );
  assert.equal(second.epoch, 'e2');
});

test('the echo of an own message replaces the waiting one', () => {
  let list = addOutgoing(emptyMessageList, 'id-1', 'hello', 1);
  list = addOutgoing(list, 'id-2', 'again', 2);
  list = addPublications(list, [publication(1, 'hello', 'me', 'id-1')], 'e1', 'me');
  assert.deepEqual(
    list.outgoing.map((message) => message.id),
    ['id-2'],
  );
  assert.equal(list.stored.length, 1);
});

test('a stranger who copies the id of a waiting message does not make it look sent', () => {
  const waiting = addOutgoing(emptyMessageList, 'id-1', 'hello', 1);
  const list = addPublications(waiting, [publication(1, 'mine now', 'mallory', 'id-1')], 'e1', 'me');
  assert.equal(list.outgoing.length, 1);
});

test('a failed message says why, and a retry clears the reason', () => {
  let list = addOutgoing(emptyMessageList, 'id-1', 'hello', 1);
  list = setOutgoing(list, 'id-1', 'failed', 'permission denied');
  assert.equal(list.outgoing[0]?.reason, 'permission denied');
  list = setOutgoing(list, 'id-1', 'pending');
  assert.deepEqual(list.outgoing[0], { id: 'id-1', text: 'hello', timeMs: 1, state: 'pending' });
  assert.equal(removeOutgoing(list, 'id-1').outgoing.length, 0);
});

test('after a gap the stored messages go and the waiting ones stay', () => {
  let list = addOutgoing(emptyMessageList, 'id-1', 'hello', 1);
  list = forgetStored(addPublications(list, [publication(1, 'one')], 'e1', 'me'));
  assert.equal(list.stored.length, 0);
  assert.equal(list.outgoing.length, 1);
});

test('payloads of any shape are shown as text, without believing them', () => {
  const shapes: unknown[] = [
    null,
    7,
    'text',
    ['a'],
    { text: 5 },
    { text: '<img onerror=x>' },
    { __proto__: { text: 'x' } },
  ];
  const publications = shapes.map((data, index) => ({ data, offset: index + 1, timeMs: 1 }));
  const list = addPublications(emptyMessageList, publications, 'e1', 'me');
  assert.deepEqual(
    list.stored.map((message) => message.text),
    ['null', '7', '"text"', '["a"]', '{"text":5}', '<img onerror=x>', '{}'],
  );
  assert.deepEqual(
    list.stored.map((message) => message.raw),
    [true, true, true, true, true, false, true],
  );
  assert.ok(list.stored.every((message) => message.author === 'server'));
});

test('a payload cannot name another author than the connection that sent it', () => {
  const data = { text: 'x', from: 'ada' };
  const list = addPublications(
    emptyMessageList,
    [
      { data, offset: 1, user: 'mallory' },
      { data, offset: 2, user: '' },
      { data, offset: 3 },
    ],
    'e1',
    'me',
  );
  assert.deepEqual(
    list.stored.map((message) => message.author),
    ['mallory', 'anonymous', 'ada'],
  );
});

test('publications without an offset are appended and get keys of their own', () => {
  const live: LivePublication = { data: { text: 'now' }, user: 'ada', timeMs: 1 };
  const list = addPublications(addPublications(emptyMessageList, [live], '', 'me'), [live], '', 'me');
  assert.equal(new Set(list.stored.map((message) => message.key)).size, 2);
});

test('BP-1: both parts of the list are bounded', () => {
  const many = Array.from({ length: storedMessagesMax + 10 }, (_, index) => publication(index + 1, 'x'));
  let list = addPublications(emptyMessageList, many, 'e1', 'me');
  assert.equal(list.stored.length, storedMessagesMax);
  assert.equal(oldestOffset(list), 11);
  for (let index = 0; index < outgoingMessagesMax + 5; index += 1) list = addOutgoing(list, `id-${index}`, 'x', 1);
  assert.equal(list.outgoing.length, outgoingMessagesMax);
});
