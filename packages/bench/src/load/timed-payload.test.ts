import assert from 'node:assert/strict';
import test from 'node:test';
import { nowMicroseconds, readTimedPayloads, timedPayload, timedPayloadBytesMin } from './timed-payload.ts';

test('a timed payload is JSON of the asked length, and is read back, several in a frame', () => {
  const sentAt = nowMicroseconds();
  const payloads = [timedPayloadBytesMin, 100, 1_024].map((bytes, i) => {
    const payload = timedPayload(i + 1, sentAt + i, bytes);
    assert.equal(Buffer.byteLength(payload), bytes);
    assert.equal(typeof JSON.parse(payload), 'object');
    return payload;
  });
  const frame = Buffer.from(payloads.map((data) => `{"push":{"channel":"a:b","pub":{"data":${data}}}}`).join('\n'));
  const seen: number[][] = [];
  assert.equal(
    readTimedPayloads(frame, (number, at) => seen.push([number, at - sentAt])),
    3,
  );
  assert.deepEqual(seen, [
    [1, 0],
    [2, 1],
    [3, 2],
  ]);
  assert.equal(
    readTimedPayloads(Buffer.from('{}'), () => {}),
    0,
  );
});
