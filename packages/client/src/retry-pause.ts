import { Backoff } from './backoff.ts';
import type { Settings } from './options.ts';

/** When the next attempt is due (CON-4). Pauses grow until a connection was stable. */
export class RetryPause {
  readonly #settings: Settings;
  readonly #backoff: Backoff;
  #connectedAt: number | undefined;
  #endsAt = 0;
  #notBefore = 0;

  constructor(settings: Settings) {
    const { reconnectMinMs: minMs, reconnectMaxMs: maxMs, random } = settings;
    this.#settings = settings;
    this.#backoff = new Backoff({ minMs, maxMs }, random);
  }

  connected(): void {
    this.#connectedAt = this.#settings.clock.monotonic();
  }

  reset(): void {
    this.#backoff.reset();
  }

  /** Returns the milliseconds that it lasts. A hint is the earliest time; the jitter comes on top. */
  begin(hintMs: number): number {
    const { clock, stableMs } = this.#settings;
    const now = clock.monotonic();
    if (this.#connectedAt !== undefined && now - this.#connectedAt >= stableMs) this.reset();
    this.#connectedAt = undefined;
    this.#notBefore = now + hintMs;
    return this.#endIn(hintMs + this.#backoff.next(), now);
  }

  /** The network is back: soon, but not in step with the other clients behind the same router. Returns the milliseconds left. */
  hasten(): number {
    const { clock, random, reconnectMinMs } = this.#settings;
    const now = clock.monotonic();
    const jitterMs = reconnectMinMs * (0.1 + 0.9 * random.next());
    return this.#endIn(Math.max(this.#notBefore - now, Math.min(this.#endsAt - now, jitterMs), 0), now);
  }

  #endIn(ms: number, now: number): number {
    this.#endsAt = now + ms;
    return ms;
  }
}
