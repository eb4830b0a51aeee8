import { Disconnect, disconnects, Rejection, rejections } from '@tutti/protocol';
import type { Identity, SubscriptionGrant } from '../auth/authenticator.ts';
import { laterOf, revocationKey, type Revocation, type RevocationList } from '../revocation/revocation-list.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Clock, Timer } from './clock.ts';
import { Fault } from './fault.ts';
import type { Random } from './random.ts';

export interface RevocationOptions {
  readonly list: RevocationList;
  /** The list is re-read that often, whatever hints come: what a lost one costs (CON-6). */
  readonly pollIntervalMs: number;
  /** No token that is believed lives longer; 0: any may. Then revocations of users never end. */
  readonly tokenLifetimeMaxMs: number;
}

/** A revocation as the application asks for it. */
export interface RevocationRequest {
  readonly what: Revocation['what'];
  readonly tenant: string;
  readonly subject: string;
  /** Of a user: what was issued until then. Milliseconds since 1970; absent: now. */
  readonly issuedBeforeMs?: number;
  /** Of a token, where it is known: when it expires by itself. */
  readonly expiresAtMs?: number;
}

type Seams = { readonly clock: Clock; readonly random: Random; readonly telemetry: Telemetry };

/** Past the expiry of a token: leeways and grace of those who believe it. */
const marginMs = 24 * 3_600_000;
/** A client id is used once: every node has ended its session, and put its token on the list, long before. */
const sessionEntryMs = 24 * 3_600_000;
/** Between the looks for entries that have expired. */
const sweepIntervalMs = 60_000;
/** While nobody is let in, because the list was never read. */
const unknownRetryMs = 1_000;
/** Entries of our own making that the list has not taken yet. */
const unsentMax = 10_000;

/**
 * What this node knows of the list of revocations. It reads the list at the start, when it is hinted at, and
 * every few seconds anyhow; what was read is forgotten only when it expires, so a list that lost its
 * contents lets nobody back in here.
 */
export class Revocations {
  readonly #options: RevocationOptions;
  readonly #seams: Seams;
  readonly #found: (revocations: readonly Revocation[]) => void;
  readonly #known = new Map<string, Revocation>();
  readonly #unsent = new Map<string, Revocation>();
  #version = '';
  #reading: Promise<void> | undefined;
  #mustReadAgain = false;
  #timer: Timer | undefined;
  #isStopped = false;
  #isFailing = false;
  #isKnown = false;
  #sweptAtMs = 0;

  /** `found`: told of those that are new here; sessions are the caller's to end. Never throws. */
  constructor(options: RevocationOptions, seams: Seams, found: (revocations: readonly Revocation[]) => void) {
    this.#options = options;
    this.#seams = seams;
    this.#found = found;
  }

  /**
   * Resolves when all that is on the list is known here, or when the list cannot be reached for now: whoever
   * connects before it is known is refused with a temporary error. Throws `Fault` where waiting does not help.
   */
  async start(): Promise<void> {
    await this.#options.list.start({
      changed: () => {
        void this.#read();
      },
    });
    try {
      await this.#readAll();
    } catch (error) {
      if (!(error instanceof Fault) || !error.retryable) throw error;
      this.#noteFailure(error);
    }
    this.#schedule();
  }

  /** Reads no more; what is known still holds. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  close(): Promise<void> {
    this.stop();
    return this.#options.list.close();
  }

  /** How many are known here. */
  get size(): number {
    return this.#known.size;
  }

  /** Resolves when it is on the list, and holds on this node. Returns when it ends by itself, if it does. */
  async revoke(request: RevocationRequest): Promise<number | undefined> {
    const revocation = this.#entry(request);
    await this.#options.list.append(revocation);
    this.#take([revocation]);
    return revocation.expiresAtMs;
  }

  /** The same for what follows from another revocation: holds here at once, and is put on the list until that succeeds. */
  imply(request: RevocationRequest): void {
    const revocation = this.#entry(request);
    this.#take([revocation]);
    if (this.#unsent.size < unsentMax) this.#unsent.set(revocationKey(revocation), revocation);
    void this.#sendUnsent();
  }

  /** Throws `Disconnect` for credentials that were revoked, `Rejection` while that is not known; asked with all that are presented. */
  mustStand(identity: Identity): void {
    this.#mustBeKnown();
    if (this.#isRevoked(identity.tenant, identity.user, identity))
      throw new Disconnect(disconnects.invalidToken, 'the token was revoked');
  }

  /** The same for a subscription token. Throws `Rejection`. */
  mustStandFor({ tenant, user }: Identity, grant: SubscriptionGrant): void {
    this.#mustBeKnown();
    if (this.#isRevoked(tenant, user, grant))
      throw new Rejection(rejections.permissionDenied, 'subscription token: the token was revoked');
  }

  /**
   * Whether a session must end. `identifiedAtMs`: when its credentials were checked last; whatever they say,
   * they were issued before that. Without a time of issue nobody can tell, as when they are presented.
   */
  endsSession(client: string, identity: Identity, identifiedAtMs: number): boolean {
    const { tenant = '', user, tokenId } = identity;
    if (this.#get('session', tenant, client) !== undefined || this.endsToken(tenant, tokenId)) return true;
    const revoked = this.#get('user', tenant, user);
    return (
      revoked !== undefined && Math.min(identifiedAtMs, identity.issuedAtMs ?? -Infinity) <= revoked.issuedBeforeMs
    );
  }

  endsToken(tenant: string, tokenId: string | undefined): boolean {
    return tokenId !== undefined && this.#get('token', tenant, tokenId) !== undefined;
  }

  /** A node that cannot know must not let in. */
  #mustBeKnown(): void {
    if (this.#isKnown) return;
    throw new Rejection(rejections.internal, 'the list of revocations could not be read yet');
  }

  #isRevoked(tenant = '', user: string, { tokenId, issuedAtMs }: Pick<Identity, 'tokenId' | 'issuedAtMs'>): boolean {
    if (this.#known.size === 0) return false;
    if (this.endsToken(tenant, tokenId)) return true;
    const revoked = this.#get('user', tenant, user);
    // Without a time of issue nobody can tell, and in doubt it was before.
    return revoked !== undefined && (issuedAtMs ?? -Infinity) <= revoked.issuedBeforeMs;
  }

  #get(what: Revocation['what'], tenant: string, subject: string): Revocation | undefined {
    const found = this.#known.get(revocationKey({ what, tenant, subject }));
    return found === undefined || this.#hasExpired(found) ? undefined : found;
  }

  #hasExpired({ expiresAtMs = Infinity }: Revocation): boolean {
    return expiresAtMs <= this.#seams.clock.now();
  }

  #entry({ what, tenant, subject, issuedBeforeMs, expiresAtMs }: RevocationRequest): Revocation {
    const now = this.#seams.clock.now();
    const before = what === 'user' ? (issuedBeforeMs ?? now) : now;
    const lifetimeMs = this.#options.tokenLifetimeMaxMs;
    let end = lifetimeMs === 0 ? undefined : before + lifetimeMs + marginMs;
    if (what === 'session') end = now + sessionEntryMs;
    // One that ran out already is refused for that.
    if (what === 'token' && expiresAtMs !== undefined) end = Math.max(now, expiresAtMs) + marginMs;
    return { what, tenant, subject, issuedBeforeMs: before, ...(end === undefined ? {} : { expiresAtMs: end }) };
  }

  /** One at a time; asked for during one, another follows. Never rejects. */
  async #read(): Promise<void> {
    this.#mustReadAgain = true;
    this.#reading ??= this.#readWhileAsked().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #readWhileAsked(): Promise<void> {
    while (this.#mustReadAgain && !this.#isStopped) {
      this.#mustReadAgain = false;
      try {
        await this.#readAll();
        this.#noteFailure(undefined);
      } catch (error) {
        this.#noteFailure(error);
        return;
      }
    }
  }

  async #readAll(): Promise<void> {
    for (let hasMore = true; hasMore && !this.#isStopped;) {
      const page = await this.#options.list.readSince(this.#version);
      this.#version = page.version;
      hasMore = page.hasMore;
      this.#take(page.revocations);
    }
    this.#isKnown = true;
  }

  #take(revocations: readonly Revocation[]): void {
    const news: Revocation[] = [];
    for (const revocation of revocations) {
      if (this.#hasExpired(revocation)) continue;
      const key = revocationKey(revocation);
      const older = this.#known.get(key);
      const later = laterOf(older, revocation);
      this.#known.set(key, later);
      if (older === undefined || later.issuedBeforeMs > older.issuedBeforeMs) news.push(later);
    }
    if (news.length > 0) this.#found(news);
  }

  #noteFailure(error: unknown): void {
    const { telemetry } = this.#seams;
    if (error !== undefined) telemetry.count('revocation_reads_failed');
    if (this.#isFailing === (error !== undefined)) return;
    this.#isFailing = error !== undefined;
    const seam = { seam: 'revocation', error };
    if (error === undefined) telemetry.log.info(seam, 'the list of revocations can be read again');
    else telemetry.log.error(seam, 'the list of revocations cannot be read: what is revoked now is not known here');
  }

  #schedule(): void {
    if (this.#isStopped) return;
    const { clock, random } = this.#seams;
    // Jittered, so that the nodes of a cluster do not ask in step; never later than promised.
    const { pollIntervalMs } = this.#options;
    const waitMs =
      (this.#isKnown ? pollIntervalMs : Math.min(pollIntervalMs, unknownRetryMs)) * (0.75 + random.next() / 4);
    this.#timer = clock.after(waitMs, () => {
      this.#schedule();
      this.#sweep();
      void this.#read();
      void this.#sendUnsent();
    });
  }

  async #sendUnsent(): Promise<void> {
    for (const [key, revocation] of this.#unsent) {
      try {
        await this.#options.list.append(revocation);
        this.#unsent.delete(key);
      } catch (error) {
        const { log } = this.#seams.telemetry;
        log.error({ seam: 'revocation', error }, 'a revocation could not be put on the list; tried again');
        return;
      }
    }
  }

  #sweep(): void {
    const now = this.#seams.clock.monotonic();
    if (now - this.#sweptAtMs < sweepIntervalMs) return;
    this.#sweptAtMs = now;
    for (const [key, revocation] of this.#known) if (this.#hasExpired(revocation)) this.#known.delete(key);
  }
}
