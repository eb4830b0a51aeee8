import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Counters } from './counters.ts';
import { counterMetrics, gaugeMetrics, histogramMetrics } from './metric-table.ts';
import { metricRows, renderMetricsPage } from './metrics-page.ts';
import { PrometheusTelemetry } from './prometheus.ts';
import type { CounterName, HistogramName } from './telemetry.ts';

function arrange(): PrometheusTelemetry {
  return new PrometheusTelemetry(new Counters(), { name: 'node-1', version: '9.9.9' });
}

/** Samples of a page: name with labels, and value. */
async function samples(telemetry: PrometheusTelemetry): Promise<Map<string, number>> {
  const lines = (await telemetry.page()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

function textOf(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../../../${path}`, import.meta.url)), 'utf8');
}

test('counters are shown with their labels, and what has none is not lost', async () => {
  const telemetry = arrange();
  telemetry.count('bytes_sent', 10);
  telemetry.count('bytes_sent', 5);
  telemetry.count('commands_received', 2, 'publish');
  telemetry.count('commands_received', 1, 'rpc');
  telemetry.count('commands_received');
  telemetry.count('recoveries', 3);
  telemetry.count('recoveries_failed');
  const page = await samples(telemetry);
  assert.equal(page.get('tutti_bytes_sent_total'), 15);
  assert.equal(page.get('tutti_commands_received_total{method="publish"}'), 2);
  assert.equal(page.get('tutti_commands_received_total{method="rpc"}'), 1);
  assert.equal(page.get('tutti_commands_received_total{method=""}'), 1);
  assert.equal(page.get('tutti_recoveries_total{result="recovered"}'), 3);
  assert.equal(page.get('tutti_recoveries_total{result="failed"}'), 1);
  assert.equal((await samples(telemetry)).get('tutti_bytes_sent_total'), 15, 'a scrape changes nothing');
  assert.equal(telemetry.counters.snapshot().commands_received, 4);
});

test('BP-6: what was conflated and dropped is told by namespace', async () => {
  const telemetry = arrange();
  telemetry.count('publications_conflated', 7, 'ticker');
  telemetry.count('publications_dropped', 2, 'typing');
  const page = await samples(telemetry);
  assert.equal(page.get('tutti_publications_conflated_total{namespace="ticker"}'), 7);
  assert.equal(page.get('tutti_publications_dropped_total{namespace="typing"}'), 2);
});

test('an alert on the first refusal finds a zero before it', async () => {
  const page = await samples(arrange());
  assert.equal(page.get('tutti_handshakes_refused_total{reason="rate"}'), 0);
  assert.equal(page.get('tutti_connections_closed_total{reason="slow"}'), 0);
});

test('distributions are in the units of Prometheus', async () => {
  const telemetry = arrange();
  telemetry.observe('ping_round_trip_ms', 30);
  telemetry.observe('queue_bytes', 5_000);
  const page = await samples(telemetry);
  assert.equal(page.get('tutti_ping_round_trip_seconds_bucket{le="0.025"}'), 0);
  assert.equal(page.get('tutti_ping_round_trip_seconds_bucket{le="0.05"}'), 1);
  assert.equal(page.get('tutti_ping_round_trip_seconds_sum'), 0.03);
  assert.equal(page.get('tutti_queue_bytes_bucket{le="4096"}'), 0);
  assert.equal(page.get('tutti_queue_bytes_bucket{le="16384"}'), 1);
});

test('S28: labels that should not be there are bounded, and none can break the page', async () => {
  const telemetry = arrange();
  for (let i = 0; i < 5_000; i += 1) telemetry.count('publications_dropped', 1, `made-up-${i}`);
  telemetry.count('commands_rejected', 1, 'x"} 1\ntutti_forged_total 1\n#');
  const page = await samples(telemetry);
  const dropped = [...page].filter(([name]) => name.startsWith('tutti_publications_dropped_total'));
  assert.equal(dropped.length, 257);
  assert.equal(
    dropped.reduce((sum, [, value]) => sum + value, 0),
    5_000,
  );
  assert.equal(page.has('tutti_forged_total'), false);
});

test('gauges are read once for a page, and the process is there too', async () => {
  const telemetry = arrange();
  let reads = 0;
  telemetry.readGauges(() => {
    reads += 1;
    return Object.fromEntries(Object.keys(gaugeMetrics).map((name, at) => [name, at + 1])) as Record<
      keyof typeof gaugeMetrics,
      number
    >;
  });
  const page = await samples(telemetry);
  assert.equal(reads, 1);
  assert.equal(page.get('tutti_connections'), 1);
  assert.equal(page.get('tutti_info{node="node-1",version="9.9.9"}'), 1);
  assert.ok((page.get('process_resident_memory_bytes') ?? 0) > 1_000_000);
  assert.ok((page.get('process_cpu_seconds_total') ?? 0) > 0);
  assert.ok(Math.abs((page.get('process_start_time_seconds') ?? 0) * 1_000 - performance.timeOrigin) < 1_000);
});

/** Every metric of a page in which each counter and distribution was used once. */
async function shownMetrics(): Promise<Set<string>> {
  const telemetry = arrange();
  for (const name of Object.keys(counterMetrics)) telemetry.count(name as CounterName);
  for (const name of Object.keys(histogramMetrics)) telemetry.observe(name as HistogramName, 1);
  const types = (await telemetry.page()).matchAll(/^# TYPE (\S+) (\S+)$/gm);
  return new Set([...types].map(([, name, type]) => `${name} ${type}`));
}

test('the reference page lists exactly the metrics that are shown, and is in sync', async () => {
  assert.deepEqual(new Set(metricRows().map(({ name, type }) => `${name} ${type}`)), await shownMetrics());
  assert.equal(textOf('docs/operations/metrics.md'), renderMetricsPage());
});

test('the dashboard and the alerts name only metrics that exist', async () => {
  const shown = new Set([...(await shownMetrics())].map((each) => each.split(' ')[0]));
  for (const path of ['deploy/grafana/tutti.json', 'deploy/prometheus/alerts.yml']) {
    const named = new Set(textOf(path).match(/\b(?:tutti|process|nodejs)_[a-z_]+\b/g));
    assert.ok(named.size > 5, path);
    for (const name of named) {
      const base = name.replace(/_(bucket|sum|count)$/, '');
      assert.ok(shown.has(name) || shown.has(base), `${path}: ${name}`);
    }
  }
  assert.doesNotThrow(() => JSON.parse(textOf('deploy/grafana/tutti.json')) as unknown);
});
