import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { TransportChoice, transportNames } from './transports.ts';

function scene(names = transportNames as readonly (typeof transportNames)[number][]) {
  const clock = new VirtualClock();
  return { clock, choice: new TransportChoice(names, clock) };
}

/** The ways of so many attempts that all end unanswered. */
function failing(choice: TransportChoice, count: number): string[] {
  return Array.from({ length: count }, () => {
    const name = choice.next();
    choice.failed();
    return name;
  });
}

test('CON-7: two attempts that nobody answers, and the next way has its turn; after the last the first', () => {
  const { choice } = scene();
  assert.deepEqual(failing(choice, 8), [
    ...['websocket', 'websocket', 'http_stream', 'http_stream'],
    ...['sse', 'sse', 'websocket', 'websocket'],
  ]);
});

test('CON-7: a way that has worked is given more time, since it is rather the server that is away', () => {
  const { choice } = scene();
  choice.next();
  choice.worked();
  assert.deepEqual(failing(choice, 6), [...Array.from({ length: 5 }, () => 'websocket'), 'http_stream']);
});

test('CON-7: an answer in between starts the count anew, and a hopeless failure ends it', () => {
  const { choice } = scene();
  choice.failed();
  choice.worked();
  assert.deepEqual(failing(choice, 1), ['websocket']);
  choice.failed(true);
  assert.equal(choice.next(), 'http_stream');
});

test('CON-7: the first choice is tried again later and later, and one failure leads back', () => {
  const { clock, choice } = scene();
  failing(choice, 2);
  choice.next();
  choice.worked();
  assert.equal(choice.retryInMs, 60_000);
  clock.advance(59_999);
  assert.equal(choice.next(), 'http_stream');
  clock.advance(1);
  assert.equal(choice.next(), 'websocket');
  choice.failed();
  assert.equal(choice.next(), 'http_stream');
  assert.equal(choice.retryInMs, 120_000);
  for (let i = 0; i < 20; i += 1) choice.postpone();
  assert.equal(choice.retryInMs, 60 * 60_000);
  clock.advance(60 * 60_000);
  assert.equal(choice.next(), 'websocket');
  choice.worked();
  assert.deepEqual([choice.current, choice.retryInMs], ['websocket', undefined]);
});

test('a single way is tried for ever', () => {
  const { choice } = scene(['websocket']);
  assert.deepEqual(new Set(failing(choice, 20)), new Set(['websocket']));
});
