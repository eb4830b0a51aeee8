import { isTenantName } from '../config/tenant.ts';
import type { Capability } from './authenticator.ts';
import { readCapabilities, readTexts, readUser } from './capability.ts';

/** The claims of a connection token, read only after its signature was verified (S7). */
export interface ConnectionClaims {
  readonly user: string;
  /** Empty: of none. */
  readonly tenant: string;
  readonly info?: Uint8Array;
  readonly channels: readonly string[];
  readonly capabilities: readonly Capability[];
}

export interface SubscriptionClaims {
  readonly user: string;
  readonly tenant: string;
  readonly channel: string;
  readonly info?: Uint8Array;
}

/** A verified token says something it must not. The message is for logs, and names the claim but not its value. */
export class BadClaims extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BadClaims';
  }
}

// Not Buffer.from: its shared pool would pin 8 KiB for a few bytes that live as long as the session.
const encoder = new TextEncoder();
const fail = (problem: string): BadClaims => new BadClaims(problem);

/** `{sub, TENANT?, info?, channels?, caps?}`; `tenantClaim`: name of the tenant's claim, empty for none. Throws `BadClaims`; also for a subscription token, which opens one channel and no connection. */
export function readConnectionClaims(claims: Readonly<Record<string, unknown>>, tenantClaim: string): ConnectionClaims {
  if (claims['channel'] !== undefined)
    throw new BadClaims('this is a subscription token (it has the claim channel), and not a connection token');
  return {
    user: userOf(claims['sub']),
    tenant: readTenant(claims, tenantClaim),
    ...readInfo(claims['info']),
    channels: claims['channels'] === undefined ? [] : readTexts(claims['channels'], 'the claim channels', fail),
    capabilities: claims['caps'] === undefined ? [] : readCapabilities(claims['caps'], 'the claim caps', fail),
  };
}

/** `{sub, channel, info?}`. Throws `BadClaims`; also for a connection token. */
export function readSubscriptionClaims(
  claims: Readonly<Record<string, unknown>>,
  tenantClaim: string,
): SubscriptionClaims {
  const channel = claims['channel'];
  if (channel === undefined)
    throw new BadClaims('this is a connection token (it has no claim channel), and not a subscription token');
  if (typeof channel !== 'string' || channel === '') throw new BadClaims('the claim channel must be a channel name');
  const tenant = readTenant(claims, tenantClaim);
  return { user: userOf(claims['sub']), tenant, channel, ...readInfo(claims['info']) };
}

function userOf(sub: unknown): string {
  // A token without sub is for an anonymous user; an issuer that means it leaves sub out or empty.
  return sub === undefined ? '' : readUser(sub, 'the claim sub', fail);
}

/**
 * Where the node has tenants every token says whose it is: one that forgot would share a space with all
 * others that did. The empty text is the operator's own.
 */
function readTenant(claims: Readonly<Record<string, unknown>>, claim: string): string {
  if (claim === '') return '';
  const tenant = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (tenant === '') return '';
  if (typeof tenant !== 'string' || !isTenantName(tenant))
    throw new BadClaims(`the claim ${claim} must name the tenant, with 1 to 64 of the characters A-Z a-z 0-9 _ . -`);
  return tenant;
}

function readInfo(info: unknown): { info?: Uint8Array } {
  return info === undefined ? {} : { info: encoder.encode(JSON.stringify(info)) };
}
