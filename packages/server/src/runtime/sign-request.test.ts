import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { signRequest } from './sign-request.ts';

test('a signature is the HMAC-SHA256 of time, full stop and body, as another program computes it', () => {
  const [t, v1] = signRequest('{"a":1}', ['s3cret'], 1_700_000_000.9).split(',');
  assert.equal(t, 't=1700000000');
  const expected = execFileSync('openssl', ['dgst', '-sha256', '-hmac', 's3cret', '-r'], {
    input: '1700000000.{"a":1}',
    encoding: 'utf8',
  });
  assert.equal(v1, `v1=${expected.split(' ')[0] ?? ''}`);
});

test('a signature covers the body as bytes, not as text', () => {
  const bytes = new Uint8Array([0xff, 0x00, 0xc3, 0xa9]);
  assert.notEqual(signRequest(bytes, ['s'], 1), signRequest(new TextDecoder().decode(bytes), ['s'], 1));
  assert.equal(signRequest('é', ['s'], 1), signRequest(new TextEncoder().encode('é'), ['s'], 1));
});

test('each secret gives a signature of its own, so that secrets can be changed', () => {
  const [t, old, next, ...more] = signRequest('x', ['old', 'next'], 5).split(',');
  assert.deepEqual([t, more], ['t=5', []]);
  assert.deepEqual(
    [old, next],
    ['old', 'next'].map((secret) => signRequest('x', [secret], 5).split(',')[1]),
  );
});
