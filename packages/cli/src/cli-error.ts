/** Exit codes of the command. */
export const exitCodes = {
  ok: 0,
  /** It was understood, and did not work. */
  failed: 1,
  /** It was not understood: an unknown command, flag or value. */
  usage: 2,
} as const;

/** What went wrong, for the person who typed the command. */
export class CliError extends Error {
  /** What to do about it, a line each. */
  readonly remedies: readonly string[];
  readonly exitCode: number;

  constructor(message: string, options: { remedies?: readonly string[]; exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'CliError';
    this.remedies = options.remedies ?? [];
    this.exitCode = options.exitCode ?? exitCodes.failed;
  }
}

export function usageError(message: string, ...remedies: string[]): CliError {
  return new CliError(message, { remedies, exitCode: exitCodes.usage });
}
