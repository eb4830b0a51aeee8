import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameBound, type Outgoing } from './frame-bound.ts';

function command(id: number, bytes: number): Outgoing {
  return { part: '', bytes, id };
}

test('commands are joined up to the bound that is wanted, or that the server says, whichever is less', () => {
  const frames = new FrameBound(1_000);
  const joins = (bytes: number): boolean => frames.hasRoom(1, 500, command(2, bytes));
  assert.deepEqual([joins(499), joins(500)], [true, false]);
  frames.declared(800);
  assert.deepEqual([joins(299), joins(300)], [true, false]);
  frames.declared(5_000);
  assert.deepEqual([joins(499), joins(500)], [true, false]);
  frames.declared(undefined);
  frames.declared(0);
  assert.throws(() => frames.check(5_001), { code: 11 });
  frames.check(5_000);
  assert.deepEqual([frames.hasRoom(999, 0, command(2, 1)), frames.hasRoom(1_000, 0, command(2, 1))], [true, false]);
});

test('of the frames that may have been refused the largest is to blame', () => {
  const frames = new FrameBound(1_000);
  frames.sent([command(1, 200)], 200);
  frames.sent([command(2, 300)], 300);
  frames.sent([command(3, 100), command(4, 100)], 201);
  assert.deepEqual(frames.refused(), { id: 2 });
  assert.throws(() => frames.check(300), { code: 11 });
  frames.check(299);
  assert.equal(frames.refused(), undefined, 'once');
});

test('an answer clears the frame of its command and those before, not those behind', () => {
  const frames = new FrameBound(1_000);
  frames.sent([command(1, 900)], 900);
  frames.sent([command(2, 300), command(3, 300)], 601);
  frames.answered(1);
  frames.sent([command(0, 700)], 700);
  frames.answered(3);
  assert.deepEqual(frames.refused(), { id: 0 });

  frames.sent([command(4, 100), command(5, 100)], 201);
  frames.sent([command(6, 150)], 150);
  frames.answered(6);
  assert.equal(frames.refused(), undefined);
  frames.sent([command(7, 400), command(8, 400)], 801);
  frames.linkOpened();
  assert.equal(frames.refused(), undefined);
});

test('a refused frame of several makes frames smaller, and no single command is turned down for it', () => {
  const frames = new FrameBound(60_000);
  frames.sent([command(1, 20_000), command(2, 20_000)], 40_001);
  assert.equal(frames.refused(), 'several');
  frames.check(50_000);
  assert.deepEqual(
    [frames.hasRoom(1, 5_000, command(3, 4_999)), frames.hasRoom(1, 5_000, command(3, 5_000))],
    [true, false],
  );
});
