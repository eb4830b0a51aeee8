import { inspect } from 'node:util';

export interface EventuallyOptions {
  /** What is waited for, as it should stand in the failure. */
  readonly what?: string;
  /** Real milliseconds; generous, because a passing test never waits them out. */
  readonly withinMs?: number;
}

const withinMsDefault = 10_000;
const pollMsMax = 25;

/**
 * Waits until `condition` returns something truthy, and returns that. A condition that throws
 * counts as not yet (so assertions can stand in it); its last error is the cause of the failure.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<NonNullable<T>> {
  const withinMs = options.withinMs ?? withinMsDefault;
  const deadline = performance.now() + withinMs;
  let last: unknown;
  let threw = false;
  for (let tries = 1; ; tries++) {
    try {
      threw = false;
      last = await condition();
      if (last) return last as NonNullable<T>;
    } catch (error) {
      threw = true;
      last = error;
    }
    if (performance.now() >= deadline) throw failure(options.what, withinMs, tries, last, threw);
    await pause(tries);
  }
}

/** The first tries follow the event loop, later ones the clock, so that waiting costs little. */
function pause(tries: number): Promise<void> {
  return new Promise((resolve) => {
    if (tries <= 10) setImmediate(resolve);
    else setTimeout(resolve, Math.min(tries - 10, pollMsMax));
  });
}

function failure(what: string | undefined, withinMs: number, tries: number, last: unknown, threw: boolean): Error {
  const seen = threw
    ? `it threw: ${last instanceof Error ? last.message : inspect(last)}`
    : `it returned ${inspect(last)}`;
  const message = `${what ?? 'the condition'} did not hold within ${withinMs} ms (${tries} tries); last, ${seen}`;
  return new Error(message, threw ? { cause: last } : undefined);
}
