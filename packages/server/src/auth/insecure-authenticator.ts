import { Rejection } from '@tutti/protocol';

import { isTenantName } from '../config/tenant.ts';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Authenticator, ConnectAttempt, Identity, SubscriptionGrant } from './authenticator.ts';
import { userBytesMax } from './capability.ts';
import { JwtAuthenticator, type JwtAuthenticatorSettings } from './jwt-authenticator.ts';

/**
 * For `tutti dev` only, on a loopback address: everybody is who they say they are.
 *
 * A token signed with the development key counts, and an expired one is refused, so that refresh
 * can be tried; any other token is ignored, aloud. Without a token the user is `user` of the
 * connect data (`{"user": "ann"}`), or a guest with a made-up name; where there are tenants, the tenant too
 * (`{"user": "ann", "tenant": "acme"}`).
 */
export class InsecureAuthenticator implements Authenticator {
  readonly #tokens: JwtAuthenticator;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hasTenants: boolean;

  constructor(settings: JwtAuthenticatorSettings, seams: { clock: Clock; random: Random; log: Log }) {
    this.#tokens = new JwtAuthenticator({ ...settings, allowAnonymous: false }, seams.clock, seams.log);
    this.#random = seams.random;
    this.#clock = seams.clock;
    this.#log = seams.log;
    this.#hasTenants = settings.tenantClaim !== '';
    this.#log.warn({}, 'insecure: every client is believed to be who it says it is; for development only');
  }

  async connect(attempt: ConnectAttempt): Promise<Identity> {
    if (attempt.token !== '') {
      try {
        return await this.#tokens.connect(attempt);
      } catch (error) {
        if (error instanceof Rejection) throw error;
        this.#log.warn({ reason: reasonOf(error) }, 'insecure: ignored a token that the development key did not sign');
      }
    }
    const said = membersOf(attempt.data);
    const user = userOf(said) ?? this.#guest();
    const tenant = this.#hasTenants ? tenantOf(said) : undefined;
    const issuedAtMs = this.#clock.now();
    return { user, issuedAtMs, channels: [], capabilities: [], ...(tenant === undefined ? {} : { tenant }) };
  }

  refresh(token: string, identity: Identity): Promise<Identity> {
    return this.#tokens.refresh(token, identity);
  }

  subscription(token: string, identity: Identity, channel: string): Promise<SubscriptionGrant> {
    return this.#tokens.subscription(token, identity, channel);
  }

  close(): void {
    this.#tokens.close();
  }

  #guest(): string {
    const number = Math.floor(this.#random.next() * 36 ** 4);
    return `guest-${number.toString(36).padStart(4, '0')}`;
  }
}

interface Said {
  readonly user?: unknown;
  readonly tenant?: unknown;
}

function membersOf(data: Uint8Array | undefined): Said {
  if (data === undefined || data.length === 0) return {};
  try {
    const parsed: unknown = JSON.parse(Buffer.from(data).toString());
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

function userOf({ user }: Said): string | undefined {
  if (typeof user !== 'string' || user === '' || !user.isWellFormed() || /\p{Cc}/u.test(user)) return undefined;
  return Buffer.byteLength(user) > userBytesMax ? undefined : user;
}

function tenantOf({ tenant }: Said): string | undefined {
  return typeof tenant === 'string' && isTenantName(tenant) ? tenant : undefined;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}
