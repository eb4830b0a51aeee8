import { Disconnect, Rejection } from '@tutti/protocol';
import { validateJson } from '@tutti/protocol/json';
import { readCapabilities, readTexts, readUser } from '../auth/capability.ts';
import { isTenantName } from '../config/tenant.ts';
import { HookFailure } from './hook-failure.ts';
import type {
  ConnectAsk,
  ConnectGrant,
  DataGrant,
  HookAsk,
  PublishAsk,
  RefreshGrant,
  SubscribeGrant,
} from './hooks.ts';

/** What an answer says, from either kind of hook, before any of it is believed. Payloads: JSON values, or bytes. */
export interface AnswerFields {
  readonly user?: unknown;
  readonly tenant?: unknown;
  /** Milliseconds since 1970. */
  readonly expiresAtMs?: unknown;
  readonly expired?: unknown;
  readonly info?: unknown;
  readonly data?: unknown;
  readonly meta?: unknown;
  readonly channels?: unknown;
  readonly capabilities?: unknown;
}

/** Bytes of one payload of an answer. */
export const answerPayloadBytesMax = 64 * 1024;
/** UTF-16 units; what does not fit a close frame is of no use to anybody. */
const reasonCharsMax = 120;
const messageCharsMax = 1_000;
/** The last moment a date can name. */
const timeMsMax = 8_640_000_000_000_000;

const encoder = new TextEncoder();
const fail = (problem: string): HookFailure => new HookFailure(`the answer of the hook: ${problem}`);

/** Throws what an answer refuses with; returns where it refuses nothing. Throws `HookFailure` for a refusal that is none. */
export function throwRefusal({ error, disconnect }: { readonly error?: unknown; readonly disconnect?: unknown }): void {
  if (disconnect !== undefined && disconnect !== null) {
    const { code, reason = '' } = membersOf(disconnect, 'disconnect');
    if (!isCode(code, 4_000, 4_999)) throw fail('disconnect.code must be 4000 to 4999');
    if (typeof reason !== 'string') throw fail('disconnect.reason must be a string');
    throw new Disconnect({ code, reason: reason.slice(0, reasonCharsMax), meaning: 'The application said so.' });
  }
  if (error !== undefined && error !== null) {
    const { code, message = '', temporary = false } = membersOf(error, 'error');
    if (!isCode(code, 400, 1_999)) throw fail('error.code must be 400 to 1999');
    if (typeof message !== 'string') throw fail('error.message must be a string');
    if (typeof temporary !== 'boolean') throw fail('error.temporary must be true or false');
    const shown = message.slice(0, messageCharsMax).toWellFormed();
    throw new Rejection({ code, name: 'application', message: shown, remedy: '', temporary });
  }
}

/** `hasTenants`: the node keeps tenants apart, so that an answer which forgets the tenant is no answer (S11). */
export function connectGrant(fields: AnswerFields, ask: ConnectAsk, hasTenants: boolean): ConnectGrant {
  const user = fields.user === undefined && ask.isVerified ? ask.user : readUser(fields.user, 'user', fail);
  const { tenant, channels, capabilities } = fields;
  const isOther = user !== ask.user || (tenant !== undefined && tenant !== (ask.tenant ?? ''));
  if (ask.isVerified && isOther) throw fail('user or tenant are not those of the token that the client brought');
  return {
    user,
    ...(ask.isVerified ? {} : tenantGrant(tenant, hasTenants)),
    ...expiry(fields),
    ...payload('info', fields.info, true),
    ...payload('meta', fields.meta, true),
    ...payload('data', fields.data, ask.codec === 'json'),
    channels: channels === undefined ? [] : readTexts(channels, 'channels', fail),
    capabilities: capabilities === undefined ? [] : readCapabilities(capabilities, 'capabilities', fail),
  };
}

export function subscribeGrant(fields: AnswerFields, ask: HookAsk): SubscribeGrant {
  return { ...expiry(fields), ...payload('info', fields.info, true), ...dataGrant(fields, ask) };
}

export function refreshGrant(fields: AnswerFields): RefreshGrant {
  const { expired = false } = fields;
  if (typeof expired !== 'boolean') throw fail('expired must be true or false');
  // A time that is over ends it.
  return expired ? { expiresAtMs: 0 } : { ...expiry(fields), ...payload('info', fields.info, true) };
}

export function publishGrant(fields: AnswerFields, ask: PublishAsk): DataGrant {
  return payload('data', fields.data, ask.payload === 'json');
}

/** Bytes that are no JSON would break out of a JSON frame. */
export function dataGrant({ data }: AnswerFields, { codec }: HookAsk): DataGrant {
  return payload('data', data, codec === 'json');
}

function tenantGrant(tenant: unknown, hasTenants: boolean): { tenant?: string } {
  if (tenant === '' || (tenant === undefined && !hasTenants)) return {};
  if (!hasTenants) throw fail('there is a tenant, and this node has none: set tenantClaim');
  if (typeof tenant !== 'string' || !isTenantName(tenant)) throw fail('tenant must be the name of a tenant, or empty');
  return { tenant };
}

function payload<Name extends 'info' | 'meta' | 'data'>(
  name: Name,
  value: unknown,
  mustBeJson: boolean,
): { readonly [Key in Name]?: Uint8Array } {
  if (value === undefined) return {};
  const bytes = value instanceof Uint8Array ? value : encoder.encode(JSON.stringify(value) ?? '');
  if (bytes.length > answerPayloadBytesMax) throw fail(`${name} is larger than ${answerPayloadBytesMax} bytes`);
  if (mustBeJson) {
    try {
      validateJson(bytes);
    } catch {
      throw fail(`${name} must be JSON`);
    }
  }
  return { [name]: bytes } as { readonly [Key in Name]: Uint8Array };
}

function expiry({ expiresAtMs }: AnswerFields): { expiresAtMs?: number } {
  if (expiresAtMs === undefined) return {};
  if (typeof expiresAtMs !== 'number' || !(expiresAtMs > 0 && expiresAtMs <= timeMsMax)) {
    throw fail('the expiry must be a moment after 1970');
  }
  return { expiresAtMs };
}

function membersOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fail(`${what} must be an object`);
  return value as Readonly<Record<string, unknown>>;
}

function isCode(code: unknown, min: number, max: number): code is number {
  return Number.isInteger(code) && Number(code) >= min && Number(code) <= max;
}
