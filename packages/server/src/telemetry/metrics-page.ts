import {
  counterMetrics,
  gaugeMetrics,
  histogramMetrics,
  infoMetric,
  metricPrefix,
  processMetrics,
  type CounterMetric,
} from './metric-table.ts';

const introduction = `# Metrics

<!-- Generated from packages/server/src/telemetry/metric-table.ts; do not edit. -->

\`GET /metrics\` answers in the text format of Prometheus. It is served on the port of the node, or, with
[\`metricsPort\`](configuration.md#metricsport), on one of its own that strangers cannot reach. No label holds
the name of a channel or a user.

On the port of the node, where \`host\` is no loopback address, it wants a key of \`apiKeys\` with the right \`metrics\`. As Prometheus
sends it: \`authorization: { type: apikey, credentials_file: /etc/prometheus/tutti-key }\`.

\`deploy/prometheus\` has an example of a scrape and of alerts, \`deploy/grafana/tutti.json\` a dashboard.
`;

export interface MetricRow {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: string;
  readonly help: string;
}

/** Every metric of the page, once. */
export function metricRows(): MetricRow[] {
  const rows = [
    ...Object.entries(counterMetrics).map(([name, spec]) => counterRow(name, spec)),
    ...Object.values(histogramMetrics).map(({ metric, help }) => row(`${metricPrefix}${metric}`, 'histogram', help)),
    ...Object.entries(gaugeMetrics).map(([name, { help }]) => row(`${metricPrefix}${name}`, 'gauge', help)),
    row(infoMetric.name, 'gauge', infoMetric.help, '`node`, `version`'),
    ...Object.entries(processMetrics).map(([name, { help, type }]) => row(name, type, help)),
  ];
  return [...new Map(rows.map((one) => [one.name, one])).values()];
}

/** The page docs/operations/metrics.md. */
export function renderMetricsPage(): string {
  const rows = metricRows().map(({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels} | ${help} |`);
  return [introduction, '| metric | type | labels | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

function counterRow(name: string, { metric = name, label, part, help }: CounterMetric): MetricRow {
  const parts = Object.keys(part ?? {}).map((each) => {
    const values = Object.values(counterMetrics).flatMap((other) =>
      other.metric === metric ? (other.part?.[each] ?? []) : [],
    );
    return `\`${each}\`: ${values.map((value) => `\`${value}\``).join(', ')}`;
  });
  const labels = [...(label === undefined ? [] : [`\`${label.name}\`: ${label.values}`]), ...parts].join('; ');
  return row(`${metricPrefix}${metric}_total`, 'counter', help, labels);
}

function row(name: string, type: MetricRow['type'], help: string, labels = ''): MetricRow {
  return { name, type, labels, help };
}
