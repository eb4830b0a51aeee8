/** Seconds that a chart shows. */
export const chartSeconds = 120;
const topChannelsMax = 20;

/** What a node says about itself each second. Every field may be missing; NaN stands for a missing number. */
export interface NodeStats {
  /** Seconds since 1970. */
  readonly timeSeconds: number;
  readonly node: string;
  readonly version: string;
  readonly connections: number;
  readonly channels: number;
  readonly subscriptions: number;
  readonly commandsPerSecond: number;
  readonly publicationsPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly bytesInPerSecond: number;
  readonly bytesOutPerSecond: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly cpuPercent: number;
  readonly loopLagMs: number;
  readonly uptimeSeconds: number;
  readonly topChannels: readonly TopChannel[];
}

export interface TopChannel {
  readonly channel: string;
  readonly subscribers: number;
}

const numberFields = [
  'connections',
  'channels',
  'subscriptions',
  'commandsPerSecond',
  'publicationsPerSecond',
  'deliveriesPerSecond',
  'bytesInPerSecond',
  'bytesOutPerSecond',
  'rssBytes',
  'heapBytes',
  'cpuPercent',
  'loopLagMs',
  'uptimeSeconds',
] as const;
type NumberField = (typeof numberFields)[number];

/** Undefined where the publication is not an object at all. */
export function readStats(data: unknown, nowMs: number): NodeStats | undefined {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined;
  const source = data as Record<string, unknown>;
  const numbers = Object.fromEntries(numberFields.map((name) => [name, numberOf(source[name])])) as Record<
    NumberField,
    number
  >;
  const time = numberOf(source['time']);
  return {
    ...numbers,
    timeSeconds: Math.round((Number.isNaN(time) ? nowMs : time) / 1000),
    node: stringOf(source['node']),
    version: stringOf(source['version']),
    topChannels: readTopChannels(source['topChannels']),
  };
}

/** The series of one chart: x in seconds since 1970, then one array a line; null where a value is missing. */
export type Series = [number[], ...(number | null)[][]];

/**
 * Columns for a chart over the last `chartSeconds`. A silence of more than three seconds gets a
 * point without value in its middle, so that the line breaks there and does not lie.
 */
export function seriesOf(samples: readonly NodeStats[], fields: readonly NumberField[]): Series {
  const times: number[] = [];
  const columns: (number | null)[][] = fields.map(() => []);
  for (const sample of samples) {
    const last = times.at(-1);
    if (last !== undefined && sample.timeSeconds - last > 3) {
      times.push(Math.floor((last + sample.timeSeconds) / 2));
      for (const column of columns) column.push(null);
    }
    times.push(sample.timeSeconds);
    fields.forEach((field, index) => columns[index]?.push(Number.isNaN(sample[field]) ? null : sample[field]));
  }
  return [times, ...columns];
}

/** The samples after one more: of one node, rising in time, bounded to the chart's span. */
export function addSample(samples: readonly NodeStats[], sample: NodeStats): readonly NodeStats[] {
  const last = samples.at(-1);
  if (last !== undefined && sample.timeSeconds <= last.timeSeconds) {
    // The node's clock stands, or went back: a chart cannot show that, the tiles can.
    return sample.timeSeconds < last.timeSeconds - chartSeconds
      ? [sample]
      : [...samples.slice(0, -1), { ...sample, timeSeconds: last.timeSeconds }];
  }
  return [...samples, sample].filter((kept) => kept.timeSeconds > sample.timeSeconds - chartSeconds);
}

function readTopChannels(value: unknown): TopChannel[] {
  if (!Array.isArray(value)) return [];
  const channels: TopChannel[] = [];
  for (const entry of value.slice(0, topChannelsMax) as unknown[]) {
    if (typeof entry !== 'object' || entry === null) continue;
    const { channel, subscribers } = entry as Record<string, unknown>;
    if (typeof channel === 'string') channels.push({ channel, subscribers: numberOf(subscribers) });
  }
  return channels.sort((a, b) => b.subscribers - a.subscribers);
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : Number.NaN;
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
