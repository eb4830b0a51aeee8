import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseData } from './commands/publish.ts';
import { capabilityOf } from './commands/token.ts';
import { demoMethods, nextPrice, startDemo, tickerChannel } from './demo.ts';
import { plain } from './output.ts';
import { endpoint } from './server-link.ts';

test('the demo publishes each symbol in turn, keyed by its name, until stopped', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const published: [string, unknown, string | undefined][] = [];
  const stop = startDemo({
    publish: (channel, data, options) => {
      published.push([channel, data, options?.key]);
      return Promise.reject(new Error('a failing log does not end the demo'));
    },
  });
  t.mock.timers.tick(1_000);
  assert.equal(published.length, 40);
  assert.equal(new Set(published.slice(0, 8).map(([, , key]) => key)).size, 8);
  for (const [channel, data, key] of published) {
    assert.equal(channel, tickerChannel);
    assert.equal((data as { symbol: string }).symbol, key);
  }
  stop();
  t.mock.timers.tick(1_000);
  assert.equal(published.length, 40);
});

test('prices walk at random, in whole cents, and come back', () => {
  let price = 100;
  for (let step = 0; step < 10_000; step += 1) {
    price = nextPrice(price, 100, step % 2 === 0 ? 1 : 0.9);
    assert.ok(price > 0 && price < 300);
    assert.equal(Math.round(price * 100) / 100, price);
  }
  assert.ok(nextPrice(300, 100, 0.5) < 300);
  assert.equal(nextPrice(0.01, 0.01, 0), 0.01);
  assert.deepEqual(demoMethods['echo']?.({ a: 1 }, { user: '', client: '' }), { a: 1 });
});

test('S29: text of strangers cannot steer the terminal', () => {
  assert.equal(plain('a\u001b[31mb\u009b2J\r\n\u202ec\u0000'), 'a\\u001b[31mb\\u009b2J\\u000d\\u000a\\u202ec\\u0000');
  assert.equal(plain('München 東京 👩‍👧'), 'München 東京 👩‍👧');
});

test('what a person calls the server becomes its endpoint', () => {
  assert.equal(endpoint('http://localhost:8000'), 'ws://localhost:8000/connection/websocket');
  assert.equal(endpoint('https://a.example/'), 'wss://a.example/connection/websocket');
  assert.equal(endpoint('wss://a.example/rt/connection/websocket'), 'wss://a.example/rt/connection/websocket');
  for (const url of ['localhost:8000', 'ftp://a', '', 'a b'])
    assert.throws(() => endpoint(url), /no address of a server/);
});

test('data is JSON, or else text; capabilities are PATTERN=VERBS', () => {
  assert.deepEqual(parseData('{"a":1}'), { a: 1 });
  assert.equal(parseData('hello\n'), 'hello');
  assert.equal(parseData('12'), 12);
  assert.deepEqual(capabilityOf('a,b:*=publish, history'), { channels: ['a', 'b:*'], allow: ['publish', 'history'] });
  for (const wrong of ['', 'a', 'a=', '=publish', 'a=publish=history'])
    assert.throws(() => capabilityOf(wrong), /PATTERN=VERBS/);
});
