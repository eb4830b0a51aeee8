import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { SystemClock } from './system-clock.ts';

const clock = new SystemClock();

test('a timer fires once, no earlier than asked, and a cancelled one never', { timeout: 5_000 }, async () => {
  const begun = clock.monotonic();
  let cancelledFired = false;
  clock.after(1, () => (cancelledFired = true)).cancel();
  const keepAlive = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => clock.after(20, resolve));
  clearInterval(keepAlive);
  // libuv rounds its own clock to whole milliseconds.
  assert.ok(clock.monotonic() - begun >= 19);
  assert.equal(cancelledFired, false);
});

test('cancel is idempotent and safe after the timer fired', { timeout: 5_000 }, async () => {
  const keepAlive = setInterval(() => {}, 1_000);
  const timer = await new Promise<{ cancel(): void }>((resolve) => {
    const set = clock.after(0, () => resolve(set));
  });
  clearInterval(keepAlive);
  timer.cancel();
  timer.cancel();
});

test('a span longer than Node can count waits, and does not fire at once', { timeout: 5_000 }, async () => {
  let fired = false;
  const timer = clock.after(1e12, () => (fired = true));
  await new Promise((resolve) => setTimeout(resolve, 5));
  timer.cancel();
  assert.equal(fired, false);
});

test('soon runs after promise callbacks, in order', { timeout: 5_000 }, async () => {
  const seen: string[] = [];
  await new Promise<void>((resolve) => {
    clock.soon(() => seen.push('first'));
    clock.soon(() => {
      seen.push('second');
      resolve();
    });
    void Promise.resolve().then(() => seen.push('promise'));
  });
  assert.deepEqual(seen, ['promise', 'first', 'second']);
});

test('timers do not keep the process alive', { timeout: 20_000 }, () => {
  const source = new URL('system-clock.ts', import.meta.url).href;
  const program = `import { SystemClock } from ${JSON.stringify(source)}; new SystemClock().after(3_600_000, () => {});`;
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { timeout: 15_000 });
  assert.equal(child.status, 0, child.stderr.toString());
});
