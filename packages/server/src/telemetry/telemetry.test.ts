import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { Fault } from '../core/fault.ts';
import { Counters } from './counters.ts';
import { nullLog, nullTelemetry } from './null-telemetry.ts';
import { PinoLog, type LogOptions } from './pino-log.ts';

const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ';

function capture(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const clock = new VirtualClock({ nowMs: Date.UTC(2026, 4, 6, 7, 8, 9, 10) });
  const destination = { write: (line: string) => void lines.push(line) };
  return { lines, clock, log: new PinoLog({ level: 'debug', destination, ...options }, clock) };
}

test('a line is JSON with time, level, message and fields', () => {
  const { lines, log } = capture({ base: { node: 'n1' } });
  log.info({ port: 8000 }, 'listening');
  assert.deepEqual(JSON.parse(lines[0] ?? ''), {
    level: 'info',
    time: '2026-05-06T07:08:09.010Z',
    node: 'n1',
    port: 8000,
    message: 'listening',
  });
});

test('levels below the chosen one are not written; silent writes nothing', () => {
  const { lines, log } = capture({ level: 'warn' });
  log.debug({}, 'a');
  log.info({}, 'b');
  log.warn({}, 'c');
  log.error({}, 'd');
  assert.equal(lines.length, 2);
  const silent = capture({ level: 'silent' });
  silent.log.error({}, 'e');
  assert.equal(silent.lines.length, 0);
});

for (const pretty of [false, true]) {
  const kind = pretty ? 'lines for people' : 'JSON lines';

  test(`S29: ${kind} show no secret, however it comes`, () => {
    const { lines, log } = capture({ pretty });
    const cause = new Error(`bad ${token}`);
    log.warn(
      { token, nested: { authorization: 'Bearer planted-1', list: [{ api_key: 'planted-2' }] } },
      `got ${token}`,
    );
    log.error({ error: new Error(`refused ${token}`, { cause }), Cookie: 'planted-3', url: `/x?t=${token}` }, 'failed');
    const text = lines.join('');
    assert.equal(lines.length, 2);
    for (const secret of ['eyJ', 'planted-1', 'planted-2', 'planted-3'])
      assert.equal(text.includes(secret), false, secret);
    assert.ok(text.includes('refused'), 'the rest of the error stays');
  });

  test(`S29: ${kind} stay one line, whatever is in them`, () => {
    const { lines, log } = capture({ pretty });
    const hostile = 'a\r\n{"level":"info","message":"forged"}\u001b[2J\u2028\u0085\u009b31m';
    log.warn({ channel: hostile, [hostile]: 1 }, hostile);
    assert.equal(lines.length, 1);
    const line = (lines[0] ?? '').slice(0, -1);
    assert.equal(/[\r\n\u001b]/.test(line), false);
  });

  test(`${kind}: hostile values neither throw nor grow without end`, () => {
    const { lines, log } = capture({ pretty });
    const loop: Record<string, unknown> = {};
    loop['loop'] = loop;
    const throwing = {
      get boom(): never {
        throw new Error('getter');
      },
    };
    log.info(
      {
        loop,
        big: 'x'.repeat(1_000_000),
        n: 10n,
        fn: () => 1,
        bytes: new Uint8Array(9),
        list: new Array(9_999).fill(1),
      },
      'odd',
    );
    log.info({ throwing }, 'thrown');
    assert.equal(lines.length, 1);
    assert.ok((lines[0] ?? '').length < 10_000);
  });
}

test('S29: one message repeated is cut to 50 a second, and the rest is counted', () => {
  const { lines, clock, log } = capture();
  for (let i = 0; i < 200; i++) log.warn({}, 'flood');
  log.warn({}, 'other');
  assert.equal(lines.length, 51);
  clock.advance(1_000);
  log.warn({}, 'flood');
  assert.equal((JSON.parse(lines[51] ?? '') as { suppressed: number }).suppressed, 150);
});

test('lines for people are coloured only when asked', () => {
  const plain = capture({ pretty: true });
  plain.log.info({ port: 8000, name: 'two words' }, 'listening');
  assert.deepEqual(plain.lines, ['07:08:09.010 INFO  listening port=8000 name="two words"\n']);
  const colored = capture({ pretty: true, color: true });
  colored.log.info({}, 'listening');
  assert.ok((colored.lines[0] ?? '').includes('\u001b[36mINFO'));
});

test('for people a fault is what it and its causes say, once each; for machines it is all of it', () => {
  const cause = new Fault('broker', 'connect ECONNREFUSED 127.0.0.1:6379', { retryable: true });
  const error = new Fault('revocation', 'the list could not be read', { retryable: true, cause });
  const people = capture({ pretty: true });
  people.log.warn({ error }, 'later');
  assert.match(people.lines[0] ?? '', /error="the list could not be read: connect ECONNREFUSED 127\.0\.0\.1:6379"\n$/);
  const machines = capture();
  machines.log.warn({ error }, 'later');
  assert.match(machines.lines[0] ?? '', /"stack":"Fault: the list/);
  people.log.error({ error: new TypeError('a bug') }, 'bug');
  assert.match(people.lines[1] ?? '', /TypeError: a bug\\n/);
});

test('counters add up, and a snapshot does not change afterwards', () => {
  const counters = new Counters(nullLog);
  counters.count('bytes_sent', 10);
  counters.count('bytes_sent');
  const snapshot = counters.snapshot();
  counters.count('bytes_sent', 5);
  assert.equal(snapshot.bytes_sent, 11);
  assert.equal(counters.snapshot().bytes_sent, 16);
  assert.equal(snapshot.bugs, 0);
  nullTelemetry.count('bugs');
  nullTelemetry.log.error({}, 'nothing');
});
