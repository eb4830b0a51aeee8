/** Points of a sparkline. */
export const seriesLengthMax = 60;
/** Most symbols shown; a stranger who publishes others cannot grow the page. */
export const symbolsMax = 60;
export const pulseEveryMs = 1000;

export interface Quote {
  readonly symbol: string;
  readonly price: number;
  /** Percent since the reference price of the source. */
  readonly change: number;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  /** The last movement that is worth a flash; absent before the first. */
  readonly pulse?: Pulse;
  /** Prices, oldest first. */
  readonly series: readonly number[];
}

/** At most one in `pulseEveryMs`, whatever the rate: a cell that flashes all the time says nothing. */
export interface Pulse {
  readonly direction: 'up' | 'down';
  /** Milliseconds since 1970, by the ticks; a view starts its flash again where it changes. */
  readonly atMs: number;
}

export interface Tick {
  readonly symbol: string;
  readonly price: number;
  readonly change: number;
  readonly timeMs: number;
}

/** Reads a publication of the ticker; undefined where it is not one. */
export function readTick(data: unknown, key: string | undefined, nowMs: number): Tick | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { symbol = key, price, change, time } = data as Record<string, unknown>;
  if (typeof symbol !== 'string' || symbol === '' || symbol.length > 32) return undefined;
  if (typeof price !== 'number' || !Number.isFinite(price)) return undefined;
  return { symbol, price, change: finite(change, 0), timeMs: finite(time, nowMs) };
}

/** The quote after a tick. A tick older than what is shown changes nothing: recovery may bring some. */
export function applyTick(before: Quote | undefined, tick: Tick): Quote {
  if (before === undefined) return { ...tick, series: [tick.price] };
  if (tick.timeMs < before.timeMs) return before;
  const series = [...before.series, tick.price].slice(-seriesLengthMax);
  const pulse = nextPulse(before, tick);
  return pulse === undefined ? { ...tick, series } : { ...tick, series, pulse };
}

function nextPulse({ price, pulse }: Quote, tick: Tick): Pulse | undefined {
  const isEarly = pulse !== undefined && tick.timeMs - pulse.atMs < pulseEveryMs;
  if (isEarly || tick.price === price) return pulse;
  return { direction: tick.price > price ? 'up' : 'down', atMs: tick.timeMs };
}

/** The `points` attribute of a polyline in a box of this size; newest at the right edge. */
export function sparkline(series: readonly number[], width: number, height: number): string {
  if (series.length < 2) return '';
  const low = Math.min(...series);
  const range = Math.max(...series) - low;
  const step = width / (seriesLengthMax - 1);
  const left = width - step * (series.length - 1);
  return series
    .map((price, index) => {
      const y = range === 0 ? height / 2 : height - ((price - low) / range) * height;
      return `${round(left + index * step)},${round(y)}`;
    })
    .join(' ');
}

function finite(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
