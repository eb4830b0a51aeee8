import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Emitter } from './emitter.ts';
import type { TuttiError } from './tutti-error.ts';

class Bell extends Emitter<{ ring: number; error: TuttiError }> {
  ring(times: number): void {
    this.emit('ring', times);
  }
}

test('on, once and off; a listener may remove itself and others while told', () => {
  const bell = new Bell();
  const heard: string[] = [];
  const third = (): void => void heard.push('third');
  const off = bell.on('ring', (n) => {
    heard.push(`first ${n}`);
    off();
    bell.off('ring', third);
  });
  bell.once('ring', (n) => heard.push(`once ${n}`));
  bell.on('ring', third);
  bell.ring(1);
  bell.ring(2);
  assert.deepEqual(heard, ['first 1', 'once 1', 'third']);
});

test('a listener that throws, and an async one that rejects, become error events', async () => {
  const bell = new Bell();
  const errors: TuttiError[] = [];
  const both = new Promise<void>((resolve) => {
    bell.on('error', (error) => {
      if (errors.push(error) === 2) resolve();
    });
  });
  bell.on('ring', () => {
    throw new Error('now');
  });
  bell.on('ring', async () => Promise.reject(new Error('later')));
  bell.ring(1);
  await both;
  assert.deepEqual(
    errors.map(({ code, cause }) => [code, (cause as Error).message]),
    [
      [6, 'now'],
      [6, 'later'],
    ],
  );
});
