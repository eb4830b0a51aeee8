import type { OptionSpec } from './option-spec.ts';

/** Read, or why not (and how to write it instead). */
export type Parsed = { readonly value: unknown } | { readonly problem: string };

const durationUnits: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
const sizeUnits: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
]);

/**
 * Reads a scalar or a list as written in a file, a variable or a flag. `fromText`: it comes from a
 * variable or a flag, where everything is text. Bounds are checked here too.
 */
export function parseWritten(spec: OptionSpec, written: unknown, fromText: boolean): Parsed {
  switch (spec.type) {
    case 'text':
      return typeof written === 'string' ? { value: written } : { problem: 'must be text' };
    case 'boolean':
      return parseBoolean(written, fromText);
    case 'choice':
      return parseChoice(spec.choices ?? [], written);
    case 'list':
      return parseList(written, fromText);
    case 'integer':
      return within(spec, parseInteger(written, fromText));
    case 'duration':
      return within(spec, parseDuration(written));
    case 'size':
      return within(spec, parseSize(written, fromText));
    case 'share':
      return within(spec, parseShare(written, fromText));
    case 'keys':
    case 'apiKeys':
    case 'webhooks':
    case 'issuers':
    case 'namespaces':
      return { problem: 'is a structure' };
  }
}

/** The shortest way to write a value of this type: 25000 → `25s`. What `parseWritten` reads back to the same value. */
export function formatWritten(spec: Pick<OptionSpec, 'type'>, value: unknown): string {
  switch (spec.type) {
    case 'duration':
      return withUnit(Number(value), durationUnits, 'ms');
    case 'size':
      return withUnit(Number(value), sizeUnits, '');
    case 'share':
      return `${Number((Number(value) * 100).toPrecision(12))}%`;
    case 'list':
      return (value as readonly string[]).join(',');
    default:
      return String(value);
  }
}

function parseBoolean(written: unknown, fromText: boolean): Parsed {
  if (typeof written === 'boolean') return { value: written };
  if (fromText && (written === 'true' || written === '1')) return { value: true };
  if (fromText && (written === 'false' || written === '0')) return { value: false };
  return { problem: 'must be true or false' };
}

function parseChoice(choices: readonly string[], written: unknown): Parsed {
  if (typeof written === 'string' && choices.includes(written)) return { value: written };
  return { problem: `must be one of ${choices.join(', ')}` };
}

function parseList(written: unknown, fromText: boolean): Parsed {
  if (fromText && typeof written === 'string') {
    const words = written.split(',').map((word) => word.trim());
    return { value: words.filter((word) => word !== '') };
  }
  if (Array.isArray(written) && written.every((item) => typeof item === 'string')) return { value: [...written] };
  return { problem: 'must be a list of texts' };
}

function parseInteger(written: unknown, fromText: boolean): Parsed {
  const number = fromText && typeof written === 'string' && /^-?\d{1,15}$/.test(written) ? Number(written) : written;
  return Number.isSafeInteger(number) ? { value: number } : { problem: 'must be a whole number' };
}

function parseDuration(written: unknown): Parsed {
  if (written === 0 || written === '0') return { value: 0 };
  const match = typeof written === 'string' ? /^(\d{1,12})(ms|s|m|h|d)$/.exec(written) : null;
  if (match === null) return { problem: "must be a duration such as '250ms', '25s', '5m', '24h' or '30d'" };
  return { value: Number(match[1]) * (durationUnits.get(match[2] ?? '') ?? 0) };
}

function parseSize(written: unknown, fromText: boolean): Parsed {
  if (Number.isSafeInteger(written)) return { value: written };
  if (fromText && typeof written === 'string' && /^\d{1,15}$/.test(written)) return { value: Number(written) };
  const match = typeof written === 'string' ? /^(\d{1,12})(B|KiB|MiB|GiB)$/.exec(written) : null;
  if (match === null) return { problem: "must be a size such as '64KiB' or '5MiB', or a number of bytes" };
  return { value: Number(match[1]) * (sizeUnits.get(match[2] ?? '') ?? 0) };
}

function parseShare(written: unknown, fromText: boolean): Parsed {
  if (typeof written === 'number') return { value: written };
  const match = typeof written === 'string' ? /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(written) : null;
  if (match !== null) return { value: Number(match[1]) / 100 };
  if (fromText && typeof written === 'string' && /^[01](?:\.\d{1,9})?$/.test(written))
    return { value: Number(written) };
  return { problem: "must be a share such as '10%' or 0.1" };
}

function within(spec: OptionSpec, parsed: Parsed): Parsed {
  if ('problem' in parsed) return parsed;
  const { min = -Infinity, max = Infinity } = spec;
  const value = Number(parsed.value);
  if (value >= min && value <= max) return parsed;
  return { problem: `must be from ${formatWritten(spec, min)} to ${formatWritten(spec, max)}` };
}

function withUnit(amount: number, units: ReadonlyMap<string, number>, smallest: string): string {
  if (amount === 0) return '0';
  for (const [unit, factor] of [...units].reverse()) {
    if (factor > 1 && amount % factor === 0) return `${amount / factor}${unit}`;
  }
  return `${amount}${smallest}`;
}
