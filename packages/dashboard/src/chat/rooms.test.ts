import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownRoomsMax, parseRooms, withRoom } from './rooms.ts';

test('a room is added once, and only under a clean name', () => {
  assert.deepEqual(withRoom([], 'jazz'), ['jazz']);
  assert.deepEqual(withRoom(['jazz'], 'jazz'), ['jazz']);
  assert.deepEqual(withRoom([], 'general'), []);
  assert.deepEqual(withRoom([], 'No Such'), []);
  assert.deepEqual(withRoom([], ''), []);
});

test('BP-1: the list of rooms is bounded, the oldest goes', () => {
  let rooms: readonly string[] = [];
  for (let index = 0; index < ownRoomsMax + 3; index += 1) rooms = withRoom(rooms, `room-${index}`);
  assert.equal(rooms.length, ownRoomsMax);
  assert.equal(rooms[0], 'room-3');
});

test('what is stored is not believed', () => {
  assert.deepEqual(parseRooms(null), []);
  assert.deepEqual(parseRooms('{"a":1}'), []);
  assert.deepEqual(parseRooms('[not json'), []);
  assert.deepEqual(parseRooms('["jazz", 4, "A B", "blues", "jazz"]'), ['jazz', 'blues']);
});
