import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Disconnect, disconnects, isReconnectCode, unsubscribes, type DisconnectKind } from './close-codes.ts';
import { renderErrorsPage } from './errors-page.ts';
import { Rejection, rejections, type RejectionKind } from './errors.ts';

const allRejections: RejectionKind[] = Object.values(rejections);
const allDisconnects: DisconnectKind[] = Object.values(disconnects);
const allUnsubscribes: DisconnectKind[] = Object.values(unsubscribes);

test('codes are unique across all catalogues', () => {
  const codes = [...allRejections, ...allDisconnects, ...allUnsubscribes].map((kind) => kind.code);
  assert.deepEqual(
    codes.filter((code, index) => codes.indexOf(code) !== index),
    [],
  );
});

test('names and reasons are unique within their catalogue', () => {
  for (const names of [
    allRejections.map((kind) => kind.name),
    allDisconnects.map((kind) => kind.reason),
    allUnsubscribes.map((kind) => kind.reason),
  ]) {
    assert.equal(new Set(names).size, names.length);
  }
});

test('each catalogue stays within its range of codes', () => {
  for (const { code, name } of allRejections) assert.ok(code >= 100 && code <= 199, `rejection ${name} ${code}`);
  for (const { code, reason } of allDisconnects)
    assert.ok(code >= 3000 && code <= 3999, `disconnect ${reason} ${code}`);
  for (const { code, reason } of allUnsubscribes) {
    assert.ok(code === 0 || code === 1 || (code >= 2000 && code <= 2999), `unsubscribe ${reason} ${code}`);
  }
});

test('the range of a disconnect is its advice', () => {
  const cases: [number, boolean][] = [
    [3000, true],
    [3499, true],
    [3500, false],
    [3999, false],
    [4000, true],
    [4499, true],
    [4500, false],
    [4999, false],
  ];
  for (const [code, comesBack] of cases) assert.equal(isReconnectCode(code), comesBack, String(code));
  for (const kind of [disconnects.shutdown, disconnects.slow, disconnects.insufficientState, disconnects.noPong]) {
    assert.ok(isReconnectCode(kind.code), kind.reason);
  }
  for (const kind of [disconnects.invalidToken, disconnects.badRequest, disconnects.permissionDenied]) {
    assert.ok(!isReconnectCode(kind.code), kind.reason);
  }
});

test('temporary rejections are those a retry can cure', () => {
  assert.deepEqual(
    allRejections.filter((kind) => kind.temporary).map((kind) => kind.code),
    [100, 111, 113, 120, 122],
  );
});

test('reasons fit a WebSocket close frame and hold no line break', () => {
  // RFC 6455 section 5.5: 125 bytes of control payload, two of them the code.
  for (const { reason } of allDisconnects) {
    assert.ok(new TextEncoder().encode(reason).length <= 123, reason);
    assert.doesNotMatch(reason, /[\r\n]/);
  }
});

test('errors carry their kind, and a detail where one is given', () => {
  assert.equal(new Rejection(rejections.limitExceeded).message, 'limit exceeded');
  const detailed = new Rejection(rejections.limitExceeded, 'at most 128 subscriptions');
  assert.equal(detailed.message, 'at most 128 subscriptions');
  assert.equal(detailed.kind, rejections.limitExceeded);
  assert.equal(new Disconnect(disconnects.slow).kind.code, 3008);
});

test('a connection is ended with a code that a close frame can carry, and with no other', () => {
  for (const code of [0, 1_000, 1_005, 2_500, 2_999, 5_000, 3_000.5, NaN]) {
    assert.throws(() => new Disconnect({ code, reason: '', meaning: '' }), /a code is from 3000 to 4999/);
  }
  for (const kind of allDisconnects) assert.equal(new Disconnect(kind).kind, kind);
});

test('the reference page names every code once, and no other', () => {
  const listed = [...renderErrorsPage().matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
  const known = [...allRejections, ...allDisconnects, ...allUnsubscribes].map((kind) => kind.code);
  assert.deepEqual(
    listed.toSorted((a, b) => a - b),
    known.toSorted((a, b) => a - b),
  );
});
