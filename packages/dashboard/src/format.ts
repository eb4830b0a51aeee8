/** Numbers as people read them. English notation everywhere, so that pages and screenshots agree. */

const compactUnits = [
  { at: 1e9, suffix: 'G' },
  { at: 1e6, suffix: 'M' },
  { at: 1e4, suffix: 'k', divisor: 1e3 },
] as const;

/** 950 → "950", 12_345 → "12.3k". Below ten thousand every digit is shown; not finite → "–". */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return '–';
  for (const unit of compactUnits) {
    if (Math.abs(value) < unit.at) continue;
    return trimZero(value / ('divisor' in unit ? unit.divisor : unit.at), 1) + unit.suffix;
  }
  return value.toLocaleString('en-GB', { maximumFractionDigits: 0 });
}

/** Per second; one decimal below ten, so that a slow stream does not read as zero. */
export function formatRate(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return value !== 0 && Math.abs(value) < 10 ? trimZero(value, 1) : formatCount(value);
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** 1536 → "1.5 KiB". */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return '–';
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${trimZero(value, value < 100 && unit > 0 ? 1 : 0)} ${byteUnits[unit] ?? ''}`;
}

/** 93_784 seconds → "1 d 2 h"; the two largest units that say something. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  const whole = Math.floor(seconds);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first === -1) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}

/** The time of day of a moment in milliseconds since 1970, in the reader's zone: "14:05". */
export function formatTimeOfDay(timeMs: number): string {
  if (!Number.isFinite(timeMs)) return '';
  const date = new Date(timeMs);
  return `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
}

/** The day of a moment, as a heading between messages: "Today", "Yesterday", "3 March 2026". */
export function formatDay(timeMs: number, nowMs: number): string {
  const days = Math.round((startOfDay(nowMs) - startOfDay(timeMs)) / 86_400_000);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return new Date(timeMs).toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
}

/** +1.25 → "+1.25%", with a real minus sign, so that columns line up. */
export function formatChange(percent: number): string {
  if (!Number.isFinite(percent)) return '–';
  const sign = percent > 0 ? '+' : percent < 0 ? '\u2212' : '';
  return `${sign}${Math.abs(percent).toFixed(2)}%`;
}

/** A price with as many decimals as its size asks for. */
export function formatPrice(price: number): string {
  if (!Number.isFinite(price)) return '–';
  const decimals = Math.abs(price) < 1 ? 4 : 2;
  return price.toLocaleString('en-GB', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function startOfDay(timeMs: number): number {
  return new Date(timeMs).setHours(0, 0, 0, 0);
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function trimZero(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return text.endsWith('.0') ? text.slice(0, -2) : text;
}
