import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScoreTape, columnMs, pitchOf, pitchOfChange, pitches } from './score-tape.ts';

test('notes of one moment form one chord a staff', () => {
  const tape = new ScoreTape();
  tape.add(0, 0, 10 * columnMs);
  tape.add(0, 2, 10 * columnMs + 1);
  tape.add(0, 2, 10 * columnMs + 2);
  tape.add(1, 8, 10 * columnMs + 3);
  assert.deepEqual(tape.columns(), [{ index: 10, notes: [0b101, 0b1_0000_0000] }]);
});

test('a chord has at most three notes', () => {
  const tape = new ScoreTape();
  for (let pitch = 0; pitch < pitches; pitch += 1) tape.add(0, pitch, 0);
  assert.deepEqual(tape.columns()[0]?.notes, [0b111, 0]);
});

test('a pitch outside the staff is moved onto it', () => {
  const tape = new ScoreTape();
  tape.add(0, -4, 0);
  tape.add(0, 99, 0);
  assert.deepEqual(tape.columns()[0]?.notes, [0b1_0000_0001, 0]);
  assert.ok(pitchOf('any text') >= 0 && pitchOf('any text') < pitches);
});

test('a change is heard as a step from the middle line', () => {
  assert.equal(pitchOfChange(0), 4);
  assert.equal(pitchOfChange(1), 5);
  assert.equal(pitchOfChange(-2), 1);
  assert.equal(pitchOfChange(50), pitches - 1);
  assert.equal(pitchOfChange(-50), 0);
});

test('BP-1: the tape is bounded at any rate and any length', () => {
  const tape = new ScoreTape();
  for (let index = 0; index < 1000; index += 1) {
    tape.add(0, index, index * columnMs);
    tape.setLinked(index % 2 === 0, index * columnMs);
  }
  assert.equal(tape.columns().length, 160);
  assert.equal(tape.columns().at(-1)?.index, 999);
  assert.ok(tape.rests().length <= 160);
});

test('a lost connection is one rest until it is back', () => {
  const tape = new ScoreTape();
  tape.setLinked(true, 0);
  tape.setLinked(false, 2 * columnMs);
  tape.setLinked(false, 3 * columnMs);
  assert.deepEqual(tape.rests(), [{ from: 2, to: undefined }]);
  tape.setLinked(true, 5 * columnMs);
  assert.deepEqual(tape.rests(), [{ from: 2, to: 5 }]);
});
