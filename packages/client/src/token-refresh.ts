import type { ErrorReply } from '@tutti/protocol';
import type { Clock, Random, Timer } from './platform.ts';
import type { TokenSource } from './token-source.ts';
import { isWorthRetrying, TuttiError } from './tutti-error.ts';

export interface Expiry {
  expires?: boolean;
  /** Seconds. */
  ttl?: number;
}

export interface TokenRefreshOwner {
  /** Sends the refresh command; calls back with what the server answers, or never if the link goes. Throws `TuttiError`. */
  sendToken(token: string, answered: (error: ErrorReply | undefined, expiry: Expiry) => void): void;
  /** It will not be had: the credentials are over. */
  refreshRefused(error: TuttiError): void;
  report(error: TuttiError): void;
}

/** Renews one credential before it runs out (CON-5, the client's half). */
export class TokenRefresh {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tokens: TokenSource;
  readonly #timeoutMs: number;
  readonly #owner: TokenRefreshOwner;
  #timer: Timer | undefined;
  /** Grows with each arm and stop, so that answers to an earlier try are known as such. */
  #turn = 0;

  constructor(clock: Clock, random: Random, tokens: TokenSource, timeoutMs: number, owner: TokenRefreshOwner) {
    this.#clock = clock;
    this.#random = random;
    this.#tokens = tokens;
    this.#timeoutMs = timeoutMs;
    this.#owner = owner;
  }

  /** Begins to count from what the server says now. Without a getter nothing can be renewed: it runs out. */
  arm({ expires, ttl }: Expiry): void {
    this.stop();
    if (!expires || !ttl || !this.#tokens.canRenew) return;
    // Between 80 and 90 % of the time: before the end, and not all clients of one deployment at once.
    this.#after(ttl * 1000 * (0.8 + 0.1 * this.#random.next()), () => this.#refresh());
  }

  stop(): void {
    this.#turn++;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#tokens.abandon();
  }

  #refresh(): void {
    const turn = ++this.#turn;
    this.#tokens.expire();
    this.#tokens.get().then(
      (token) => {
        if (turn !== this.#turn || token === undefined) return;
        this.#after(this.#timeoutMs, () => this.#refresh());
        this.#send(token, turn);
      },
      (error: unknown) => {
        if (turn === this.#turn) this.#failed(error as TuttiError);
      },
    );
  }

  #send(token: string, turn: number): void {
    try {
      this.#owner.sendToken(token, (error, expiry) => {
        if (turn !== this.#turn) return;
        if (error === undefined) this.arm(expiry);
        else this.#failed(new TuttiError(error.code, error.message, { temporary: isWorthRetrying(error) }));
      });
    } catch (cause) {
      this.#failed(cause as TuttiError);
    }
  }

  #failed(error: TuttiError): void {
    if (!error.temporary) {
      this.stop();
      this.#owner.refreshRefused(error);
      return;
    }
    this.#after(5_000 + 5_000 * this.#random.next(), () => this.#refresh());
    this.#owner.report(error);
  }

  #after(ms: number, fn: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(ms, fn);
  }
}
