import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Counters } from './counters.ts';
import {
  counterMetrics,
  gaugeMetrics,
  histogramMetrics,
  infoMetric,
  metricPrefix,
  processMetrics,
  type CounterMetric,
  type GaugeName,
  type ProcessMetricName,
} from './metric-table.ts';
import type { CounterName, HistogramName, Log, Telemetry } from './telemetry.ts';

/** Read at each scrape. */
export type Gauges = () => Readonly<Record<GaugeName, number>>;

/**
 * Telemetry with a page for Prometheus. Counting costs no more than `Counters` does: the page is made
 * from them when it is asked for. Every node has a registry of its own, so several fit in one process.
 */
export class PrometheusTelemetry implements Telemetry {
  readonly counters: Counters;
  readonly #registry = new Registry();
  readonly #histograms: Readonly<Record<HistogramName, { histogram: Histogram; scale: number }>>;
  readonly #gauges: ReadonlyMap<GaugeName, Gauge>;
  #readGauges: Gauges | undefined;

  constructor(counters: Counters, node: { readonly name: string; readonly version: string }) {
    this.counters = counters;
    this.#addCounters();
    this.#histograms = this.#addHistograms();
    this.#gauges = this.#addGauges();
    this.#addProcess();
    const { name, help } = infoMetric;
    new Gauge({ name, help, labelNames: ['node', 'version'], registers: [this.#registry] }).set(
      { node: node.name, version: node.version },
      1,
    );
  }

  get log(): Log {
    return this.counters.log;
  }

  count(name: CounterName, by?: number, label?: string): void {
    this.counters.count(name, by, label);
  }

  observe(name: HistogramName, value: number): void {
    const { histogram, scale } = this.#histograms[name];
    histogram.observe(value * scale);
  }

  /** Known only once the node exists, which is given this telemetry. */
  readGauges(gauges: Gauges): void {
    this.#readGauges = gauges;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The page in the text format of Prometheus. */
  page(): Promise<string> {
    // All at one moment, so that they agree with each other.
    const values = this.#readGauges?.();
    if (values !== undefined) for (const [name, gauge] of this.#gauges) gauge.set(values[name]);
    return this.#registry.metrics();
  }

  #addCounters(): void {
    const byMetric = new Map<string, [CounterName, CounterMetric][]>();
    for (const [name, spec] of Object.entries(counterMetrics) as [CounterName, CounterMetric][]) {
      const metric = spec.metric ?? name;
      byMetric.set(metric, [...(byMetric.get(metric) ?? []), [name, spec]]);
    }
    for (const [metric, parts] of byMetric) {
      const labelNames = [
        ...new Set(parts.flatMap(([, { label, part = {} }]) => [label?.name ?? [], Object.keys(part)].flat())),
      ];
      const counter = new Counter({
        name: `${metricPrefix}${metric}_total`,
        help: parts[0]?.[1].help ?? metric,
        labelNames,
        registers: [this.#registry],
        // Theirs only grows by adding, ours is the truth: it starts from nothing at each scrape.
        collect: () => {
          counter.reset();
          for (const [name, spec] of parts) this.#fill(counter, name, spec);
        },
      });
    }
  }

  #fill(counter: Counter, name: CounterName, { label, part = {} }: CounterMetric): void {
    const total = this.counters.snapshot()[name];
    if (label === undefined) {
      counter.inc(part, total);
      return;
    }
    for (const value of label.known ?? []) counter.inc({ ...part, [label.name]: value }, 0);
    let labelled = 0;
    for (const [value, count] of this.counters.labelled(name)) {
      labelled += count;
      counter.inc({ ...part, [label.name]: value }, count);
    }
    // What nobody put a label on still belongs to the sum.
    if (total > labelled) counter.inc({ ...part, [label.name]: '' }, total - labelled);
  }

  #addHistograms(): Record<HistogramName, { histogram: Histogram; scale: number }> {
    const made = Object.entries(histogramMetrics).map(([name, { help, metric, scale, buckets }]) => {
      const registers = [this.#registry];
      return [
        name,
        {
          histogram: new Histogram({ name: `${metricPrefix}${metric}`, help, buckets: [...buckets], registers }),
          scale,
        },
      ];
    });
    return Object.fromEntries(made) as Record<HistogramName, { histogram: Histogram; scale: number }>;
  }

  #addGauges(): Map<GaugeName, Gauge> {
    const made = Object.entries(gaugeMetrics).map(([name, { help }]) => {
      const registers = [this.#registry];
      return [name as GaugeName, new Gauge({ name: `${metricPrefix}${name}`, help, registers })] as const;
    });
    return new Map(made);
  }

  #addProcess(): void {
    for (const [name, { help, type }] of Object.entries(processMetrics)) {
      const read = processReaders[name as ProcessMetricName];
      const registers = [this.#registry];
      if (type === 'gauge') {
        const gauge = new Gauge({
          name,
          help,
          registers,
          collect: () => {
            gauge.set(read());
          },
        });
        continue;
      }
      const counter = new Counter({
        name,
        help,
        registers,
        collect: () => {
          counter.reset();
          counter.inc(read());
        },
      });
    }
  }
}

const processReaders: Readonly<Record<ProcessMetricName, () => number>> = {
  process_cpu_seconds_total: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000_000;
  },
  process_resident_memory_bytes: () => process.memoryUsage.rss(),
  process_start_time_seconds: () => Math.round(performance.timeOrigin / 1_000),
  nodejs_heap_size_used_bytes: () => process.memoryUsage().heapUsed,
  nodejs_heap_size_total_bytes: () => process.memoryUsage().heapTotal,
  nodejs_external_memory_bytes: () => process.memoryUsage().external,
};
