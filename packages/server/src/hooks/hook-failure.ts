/**
 * How a call came out, as the metrics count it. `ok`: something was granted. `refused`: the application said no.
 * `timeout`: it did not answer in time. `failed`: it threw, could not be reached, or answered garbage. `skipped`: it
 * was not asked, because it failed too often just now. `busy`: not asked, because too many calls were under way.
 */
export type HookOutcome = 'ok' | 'refused' | 'timeout' | 'failed' | 'skipped' | 'busy';

/** The application could not be asked, or its answer means nothing. For operators: no client sees the message. */
export class HookFailure extends Error {
  readonly outcome: HookOutcome;

  constructor(message: string, options: { outcome?: HookOutcome; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'HookFailure';
    this.outcome = options.outcome ?? 'failed';
  }
}
