import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TypingSigns, TypingThrottle, describeTyping, typingEveryMs, typingExpiresMs } from './typing.ts';

test('a sign of typing expires unless it is repeated', () => {
  const signs = new TypingSigns();
  signs.sign('ada', 0);
  signs.sign('bob', 0);
  signs.sign('ada', 3000);
  assert.deepEqual(signs.active(typingExpiresMs - 1), ['ada', 'bob']);
  assert.deepEqual(signs.active(typingExpiresMs), ['ada']);
  assert.deepEqual(signs.active(3000 + typingExpiresMs), []);
});

test('a message ends the typing of its author', () => {
  const signs = new TypingSigns();
  signs.sign('ada', 0);
  signs.clear('ada');
  assert.deepEqual(signs.active(1), []);
});

test('BP-1: signs of many names are bounded, and those known are still refreshed', () => {
  const signs = new TypingSigns();
  for (let index = 0; index < 500; index += 1) signs.sign(`user-${index}`, 0);
  signs.sign('user-0', 4000);
  assert.equal(signs.active(1).length, 50);
  assert.deepEqual(signs.active(typingExpiresMs + 1), ['user-0']);
});

test('one sign passes per interval, and at once after a message', () => {
  const throttle = new TypingThrottle();
  assert.equal(throttle.allows(100), true);
  assert.equal(throttle.allows(101), false);
  assert.equal(throttle.allows(99 + typingEveryMs), false);
  assert.equal(throttle.allows(100 + typingEveryMs), true);
  throttle.reset();
  assert.equal(throttle.allows(101 + typingEveryMs), true);
});

test('the sentence fits the number of people', () => {
  assert.equal(describeTyping([]), '');
  assert.equal(describeTyping(['ada']), 'ada is typing');
  assert.equal(describeTyping(['ada', 'bob']), 'ada and bob are typing');
  assert.equal(describeTyping(['ada', 'bob', 'cy']), 'ada, bob and 1 other are typing');
  assert.equal(describeTyping(['ada', 'bob', 'cy', 'di']), 'ada, bob and 2 others are typing');
});
