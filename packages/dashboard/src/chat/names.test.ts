import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanName, cleanRoom, hueOf, initialsOf, nameLengthMax, randomName, roomLengthMax } from './names.ts';

test('a random name is two words at both ends of the range', () => {
  assert.match(
    randomName(() => 0),
    /^\w+ \w+$/,
  );
  assert.match(
    randomName(() => 0.999999),
    /^\w+ \w+$/,
  );
});

test('a name loses control and direction characters, and is bounded in characters, not code units', () => {
  assert.equal(cleanName('  Ada\u202e\n Lovelace\u0000 '), 'Ada Lovelace');
  assert.equal(cleanName('\u200b\t'), '');
  assert.equal(Array.from(cleanName('😀'.repeat(100))).length, nameLengthMax);
  assert.equal(cleanName('<b>bold</b>'), '<b>bold</b>');
});

test('a room becomes a safe end of a channel name', () => {
  assert.equal(cleanRoom('  Café & Crème! '), 'cafe-creme');
  assert.equal(cleanRoom('a:b/c#d'), 'a-b-c-d');
  assert.equal(cleanRoom('***'), '');
  assert.ok(cleanRoom('x'.repeat(99)).length <= roomLengthMax);
  assert.ok(!cleanRoom(`${'x'.repeat(31)} y`).endsWith('-'));
});

test('hue and initials follow from the name alone', () => {
  assert.equal(hueOf('ada'), hueOf('ada'));
  assert.ok(hueOf('ada') >= 0 && hueOf('ada') < 360);
  assert.equal(initialsOf('Ada King Lovelace'), 'AL');
  assert.equal(initialsOf('bob'), 'B');
  assert.equal(initialsOf(''), '?');
});
