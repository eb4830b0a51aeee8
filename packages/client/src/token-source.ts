import type { Clock, Timer } from './platform.ts';
import { clientErrors, TuttiError } from './tutti-error.ts';

/** Fetches a token from the application. Throwing a `TuttiError` that is not temporary means: no access, stop trying. */
export type TokenGetter = () => Promise<string> | string;

/** A token, and where the next one comes from. */
export class TokenSource {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #current: string | undefined;
  readonly #getter: TokenGetter | undefined;
  #timer: Timer | undefined;
  /** Grows with each fetch, and when tokens are forgotten: one that comes of an earlier fetch is not kept. */
  #turn = 0;

  constructor(clock: Clock, timeoutMs: number, token: string | undefined, getter: TokenGetter | undefined) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#current = token;
    this.#getter = getter;
  }

  get current(): string | undefined {
    return this.#current;
  }

  get canRenew(): boolean {
    return this.#getter !== undefined;
  }

  /** A token can be had, but is not here yet. */
  get mustFetch(): boolean {
    return this.#current === undefined && this.canRenew;
  }

  /** The token has expired. One that cannot be replaced is kept: the server is to say what is wrong with it. */
  expire(): void {
    if (this.canRenew) this.#current = undefined;
  }

  /** Another user may be next: as `expire`, and what is still on its way is not kept either. */
  forget(): void {
    this.#turn++;
    this.expire();
  }

  /** The token at hand, or a new one. Rejects with a `TuttiError`, within `timeoutMs`. */
  get(): Promise<string | undefined> {
    return this.mustFetch ? this.#fetch() : Promise.resolve(this.#current);
  }

  /** Nobody waits for the fetch under way any more; its promise may stay open. A token that still comes is kept, unless a newer fetch has begun. */
  abandon(): void {
    this.#timer?.cancel();
  }

  #fetch(): Promise<string> {
    const getter = this.#getter as TokenGetter;
    const turn = ++this.#turn;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(this.#timeoutMs, () => reject(failed('gave none in time')));
      this.#timer = timer;
      // An async function, so that a getter that throws is one that rejects.
      const fetching = (async () => getter())();
      fetching.then(
        (token) => {
          timer.cancel();
          if (typeof token !== 'string' || token === '') {
            reject(
              new TuttiError(clientErrors.token, 'the token getter gave no token: no access', { temporary: false }),
            );
            return;
          }
          if (turn === this.#turn) this.#current = token;
          resolve(token);
        },
        (cause: unknown) => {
          timer.cancel();
          reject(cause instanceof TuttiError ? cause : failed(String(cause), cause));
        },
      );
    });
  }
}

function failed(what: string, cause?: unknown): TuttiError {
  return new TuttiError(clientErrors.token, `the token getter failed: ${what}`, { temporary: true, cause });
}
