import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disconnects } from '@tutti/protocol';
import { counterMetrics } from '../telemetry/metric-table.ts';
import { closeFamily } from './close-family.ts';

test('every way to end has one of the few families that the metrics know', () => {
  const known = counterMetrics.connections_closed.label?.known ?? [];
  const codes = [undefined, 1002, 1006, 1009, 4_000, 4_600, ...Object.values(disconnects).map(({ code }) => code)];
  for (const code of codes) assert.ok(known.includes(closeFamily(code)), String(code));
  assert.deepEqual(new Set(codes.map(closeFamily)), new Set(known), 'and none is never used');
  assert.deepEqual([1009, 3_501, 4_600].map(closeFamily), ['refused', 'refused', 'refused']);
  assert.deepEqual([3_005, 4_000].map(closeFamily), ['reconnect', 'reconnect']);
});
