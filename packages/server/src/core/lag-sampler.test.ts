import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nullTelemetry } from '../telemetry/null-telemetry.ts';
import type { HistogramName } from '../telemetry/telemetry.ts';
import { LagSampler } from './lag-sampler.ts';

function arrange(count: number) {
  const seen: [HistogramName, number][] = [];
  const telemetry = {
    ...nullTelemetry,
    observe: (name: HistogramName, value: number) => void seen.push([name, value]),
  };
  const sessions = new Map(
    Array.from({ length: count }, (_, i) => [String(i), { lag: { bytes: i + 10 }, connection: { inFlight: 10 } }]),
  );
  return { seen, sessions, sampler: new LagSampler(sessions, telemetry) };
}

test('BP-6: what waits in the queue and what is on its way are observed apart', () => {
  const { seen, sampler } = arrange(2);
  sampler.sample();
  assert.deepEqual(seen, [
    ['in_flight_bytes', 10],
    ['queue_bytes', 0],
    ['in_flight_bytes', 10],
    ['queue_bytes', 1],
  ]);
});

test('S22: of very many connections a thousand are looked at, and next time others', () => {
  const { seen, sessions, sampler } = arrange(2_500);
  const queues = (): number[] => seen.flatMap(([name, value]) => (name === 'queue_bytes' ? [value] : []));
  sampler.sample();
  assert.equal(queues().length, 1_000);
  sessions.delete('1500');
  sampler.sample();
  sampler.sample();
  assert.equal(new Set(queues()).size, 2_499, 'each of those who stayed, once');
  sampler.sample();
  assert.equal(queues().length, 2_499 + 1_000, 'then from the beginning');
});
