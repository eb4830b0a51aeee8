/** Texts say what was measured, numbers what was seen; units are in the names. */
export type Row = Readonly<Record<string, string | number>>;

export interface BenchContext {
  /** Progress, for people. */
  say(line: string): void;
  /** Where CPU profiles of the measured nodes go. */
  readonly profileDir?: string;
}

export type ScenarioOptions = Readonly<Record<string, { readonly default: number; readonly description: string }>>;

/** One thing to measure. Starts all it needs and ends it, whatever happens. */
export interface Scenario<Options extends ScenarioOptions = ScenarioOptions> {
  readonly name: string;
  /** What is measured, in a line. */
  readonly shows: string;
  /** Numbers that `--name value` changes. */
  readonly options: Options;
  run(options: { readonly [Name in keyof Options]: number }, context: BenchContext): Promise<readonly Row[]>;
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

/** `part / whole`, or 0 where nothing was seen, which JSON can carry. */
export function per(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
