import type { Clock, Timer } from '../core/clock.ts';
import type { Log } from '../telemetry/telemetry.ts';
import { keysOfSet, type ImportedKey } from './jwks-keys.ts';

export interface JwksSourceSettings {
  /** Fixed in the configuration; nothing of a token goes into it (S7). */
  readonly url: string;
  readonly refreshIntervalMs: number;
  /** How long keys serve after the last fetch that succeeded. */
  readonly staleMaxMs: number;
}

/** The issuer's keys cannot be had now: the token may be good, and nobody can tell. */
export class KeysUnavailable extends Error {
  constructor() {
    super('the keys of the issuer cannot be had now: try again');
    this.name = 'KeysUnavailable';
  }
}

/** However many tokens name keys that nobody knows, the issuer is asked no more often than this. */
export const refetchMinMs = 10_000;
const fetchTimeoutMs = 5_000;
export const setBytesMax = 256 * 1024;
const retryMsMax = 60_000;

/**
 * The keys that one issuer publishes at one URL, fetched at the start and again and again. Each issuer has a
 * source of its own, so a key is found by issuer, URL and key id together: one issuer's key never serves
 * another's token, whatever its kid (S6).
 *
 * An unknown kid is asked for once, within `refetchMinMs`; until then, and while no key could be fetched, the
 * answer is `KeysUnavailable` and not "wrong", so that a rotation turns nobody away for good.
 */
export class JwksSource {
  readonly #settings: JwksSourceSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  #keys: readonly ImportedKey[] = [];
  #fetching: Promise<boolean> | undefined;
  #fetchedAtMs = -Infinity;
  #triedAtMs = -Infinity;
  #failures = 0;
  #timer: Timer | undefined;
  readonly #closing = new AbortController();

  constructor(settings: JwksSourceSettings, seams: { readonly clock: Clock; readonly log: Log }) {
    this.#settings = settings;
    this.#clock = seams.clock;
    this.#log = seams.log;
  }

  /** Fetches, and goes on doing so. The node starts whatever comes of it. */
  open(): void {
    void this.#fetch();
  }

  /** A fetch under way ends, too: a process that is about to end would wait for it. */
  close(): void {
    this.#timer?.cancel();
    this.#closing.abort();
  }

  /** Fitting keys; none: the issuer has no such key. Throws `KeysUnavailable`. */
  async find(alg: string | undefined, kid: string | undefined): Promise<ImportedKey[]> {
    const found = this.#isUsable ? this.#fitting(alg, kid) : undefined;
    if (found !== undefined) return found;
    const isRecent = this.#fetching === undefined && this.#clock.monotonic() - this.#triedAtMs < refetchMinMs;
    if (isRecent || !(await this.#fetch())) throw new KeysUnavailable();
    return this.#fitting(alg, kid) ?? [];
  }

  /** False: it was withdrawn, or is older than allowed; what it verified counts no more. */
  has(key: ImportedKey): boolean {
    return this.#isUsable && this.#keys.includes(key);
  }

  get #isUsable(): boolean {
    return this.#clock.monotonic() - this.#fetchedAtMs < this.#settings.staleMaxMs;
  }

  /** Undefined: a kid that is not known. A known one is used with its own algorithm only (S5). */
  #fitting(alg: string | undefined, kid: string | undefined): ImportedKey[] | undefined {
    if (kid === undefined) return this.#keys.filter((key) => key.alg === alg);
    const key = this.#keys.find((each) => each.kid === kid);
    if (key === undefined) return undefined;
    return key.alg === alg ? [key] : [];
  }

  /** One at a time, for all who wait. True: it succeeded. */
  #fetch(): Promise<boolean> {
    this.#fetching ??= this.#fetchNow().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchNow(): Promise<boolean> {
    this.#triedAtMs = this.#clock.monotonic();
    const { url } = this.#settings;
    try {
      const keys = keysOfSet(await fetchJson(url, this.#clock, this.#closing.signal), (reason) => {
        this.#log.debug({ url, reason }, 'a key of the issuer is not used');
      });
      if (keys.length === 0) throw new Error('the key set has no key that can be used');
      this.#take(keys);
      return true;
    } catch (error) {
      this.#failures += 1;
      if (this.#failures === 1 && !this.#closing.signal.aborted)
        this.#log.warn({ url, error }, 'the keys of an issuer could not be fetched');
      return false;
    } finally {
      this.#schedule();
    }
  }

  /** A key that stayed is the same object, so that what it verified stays verified. */
  #take(keys: readonly ImportedKey[]): void {
    const before = this.#keys;
    const known = (key: ImportedKey): ImportedKey | undefined =>
      before.find((each) => each.kid === key.kid && each.alg === key.alg && each.pem === key.pem);
    this.#keys = keys.map((key) => known(key) ?? key);
    this.#fetchedAtMs = this.#clock.monotonic();
    if (this.#failures > 0) this.#log.info({ url: this.#settings.url }, 'the keys of the issuer were fetched again');
    this.#failures = 0;
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (this.#closing.signal.aborted) return;
    const retryMs = Math.min(retryMsMax, 1_000 * 2 ** Math.min(this.#failures - 1, 10));
    const { refreshIntervalMs } = this.#settings;
    this.#timer = this.#clock.after(
      this.#failures === 0 ? refreshIntervalMs : Math.min(retryMs, refreshIntervalMs),
      () => {
        void this.#fetch();
      },
    );
  }
}

/** No redirect, at most `setBytesMax`, within `fetchTimeoutMs`, and not beyond `closing`. Throws. */
async function fetchJson(url: string, clock: Clock, closing: AbortSignal): Promise<unknown> {
  const aborting = new AbortController();
  const timer = clock.after(fetchTimeoutMs, () => {
    aborting.abort(new Error(`no answer within ${fetchTimeoutMs} ms`));
  });
  try {
    const headers = { Accept: 'application/json' };
    const signal = AbortSignal.any([aborting.signal, closing]);
    const response = await fetch(url, { redirect: 'error', signal, headers });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      bytes += part.length;
      if (bytes > setBytesMax) throw new Error(`the answer is larger than ${setBytesMax} bytes`);
      parts.push(part);
    }
    return JSON.parse(Buffer.concat(parts).toString()) as unknown;
  } finally {
    timer.cancel();
    aborting.abort();
  }
}
