import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { verifySignature } from './index.ts';

const secret = 'a-secret-of-hooks';
const body = '{"client":"c1","user":"añn"}';
const nowMs = 1_900_000_000_000;
const time = String(nowMs / 1_000);

function sign(by: string = secret, at: string = time, text: string = body): string {
  return createHmac('sha256', by).update(`${at}.${text}`).digest('hex');
}

const good = `t=${time},v1=${sign()}`;

test('a request that was signed with the secret is believed, its body as text or as bytes', async () => {
  assert.equal(await verifySignature({ secret, header: good, body, nowMs }), true);
  assert.equal(await verifySignature({ secret, header: good, body: Buffer.from(body), nowMs }), true);
});

test('secrets can be changed: any of either side is enough', async () => {
  const two = `t=${time},v1=${sign('old')},v1=${sign('new')}`;
  assert.equal(await verifySignature({ secret: 'new', header: two, body, nowMs }), true);
  assert.equal(await verifySignature({ secret: ['next', secret], header: good, body, nowMs }), true);
  assert.equal(await verifySignature({ secret: ['next', 'other'], header: good, body, nowMs }), false);
});

const unsound: readonly [what: string, header: string | undefined | null][] = [
  ['no header', undefined],
  ['null', null],
  ['an empty header', ''],
  ['no time', `v1=${sign()}`],
  ['no signature', `t=${time}`],
  ['another time', `t=${Number(time) + 1},v1=${sign()}`],
  ['a time that is none', `t=soon,v1=${sign()}`],
  ['another secret', `t=${time},v1=${sign('other')}`],
  ['an empty secret', `t=${time},v1=${sign('')}`],
  ['another body', `t=${time},v1=${sign(secret, time, '{}')}`],
  ['a cut signature', good.slice(0, -2)],
  ['another scheme', `t=${time},v0=${sign()}`],
  ['very many signatures', `t=${time},${'v1=00,'.repeat(100_000)}v1=${sign()}`],
];
for (const [what, header] of unsound) {
  test(`${what} is not believed`, async () => {
    assert.equal(await verifySignature({ secret, header, body, nowMs }), false);
    assert.equal(await verifySignature({ secret: [secret, ''], header, body, nowMs }), false);
  });
}

test('what was recorded is not believed for long', async () => {
  for (const [afterMs, isBelieved] of [
    [299_000, true],
    [301_000, false],
    [-299_000, true],
    [-301_000, false],
  ] as const) {
    assert.equal(await verifySignature({ secret, header: good, body, nowMs: nowMs + afterMs }), isBelieved);
  }
  assert.equal(await verifySignature({ secret, header: good, body, nowMs: nowMs + 2_000, toleranceMs: 1_000 }), false);
});
