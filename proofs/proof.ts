/** A program that breaks something for real, looks from outside, and says what it saw. */
export interface Proof {
  readonly name: string;
  /** What is promised, in a line. */
  readonly shows: string;
  /** Numbers that `--name value` changes. */
  readonly options: Readonly<Record<string, { readonly default: number; readonly description: string }>>;
  /** Words that `--name word` chooses from. */
  readonly choices?: Readonly<
    Record<string, { readonly default: string; readonly choices: readonly string[]; readonly description: string }>
  >;
  /** Ends everything it started, whatever happens. `say` prints progress. */
  run(
    options: Readonly<Record<string, number>>,
    say: (line: string) => void,
    chosen: Readonly<Record<string, string>>,
  ): Promise<Verdict>;
}

export interface Verdict {
  /** Promises that were broken, each with what was seen; empty where all were kept. */
  readonly broken: readonly string[];
  readonly figures: Readonly<Record<string, unknown>>;
}
