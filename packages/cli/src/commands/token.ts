import { mintToken, type Capability, type TokenDraft, type Verb } from '@tutti/server/auth';
import { formatProblem } from '@tutti/server/config';
import type { Command } from 'commander';

import { CliError, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { anyConfig, signingKey } from '../local-config.ts';
import { addTenantFlag, tenantClaims } from '../own-tenant.ts';
import { addSettingsFlags } from '../settings-flags.ts';

const verbs: readonly Verb[] = ['subscribe', 'publish', 'history', 'presence'];
const units: ReadonlyMap<string, number> = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

// What a node takes.
const tokenIdCharsMax = 256;

interface Flags {
  user: string;
  channel?: string;
  expires: string;
  info?: string;
  caps?: string[];
  channels?: string;
  jti?: string;
  tenant?: string;
}

export function tokenCommand(command: Command, context: Context): void {
  const gather = (value: string, before: string[] = []): string[] => [...before, value];
  const token = command
    .command('token')
    .description('make a token, signed with the key of the local configuration (or of `tutti dev`)')
    .requiredOption('--user <name>', 'user the token is for; empty text for an anonymous one')
    .option('--channel <channel>', 'make a subscription token, which opens this one channel')
    .option('--expires <duration>', 'such as 30s, 5m, 1h, 7d, or never', '1h')
    .option('--info <json>', 'what other subscribers see of the user')
    .option('--caps <pattern=verbs>', "rights, such as 'chat:*=subscribe,publish'; repeatable", gather)
    .option('--channels <list>', 'channels that the server subscribes on connect, with commas')
    .option('--jti <id>', 'a name of this token, to revoke it by');
  addSettingsFlags(addTenantFlag(token), ['dataDir', 'tokenIssuer', 'tokenAudience', 'tenantClaim']).action(
    async (flags: Flags) => {
      const draft = draftOf(flags, flags.caps ?? []);
      const config = await anyConfig('serve', { ...flags }, context);
      const key = signingKey(config);
      if (key === undefined)
        throw noKey(config.problems.filter(({ source }) => source.kind !== 'default').map(formatProblem));
      const { tokenIssuer: issuer, tokenAudience: audience } = config.settings;
      const tenant = tenantClaims(flags.tenant, config.settings);
      const claims = { ...tenant, ...(issuer === '' ? {} : { issuer }), ...(audience === '' ? {} : { audience }) };
      const signed = await mintToken({ ...draft, ...claims }, key);
      const { expiresAtMs: expiresAt } = draft;
      context
        .output()
        .result({ type: 'token', token: signed, ...(expiresAt === undefined ? {} : { expiresAt }) }, signed);
    },
  );
}

function noKey(problems: readonly string[]): CliError {
  return new CliError('there is no key to sign with', {
    remedies: [
      'Start `tutti dev` once in this folder: it makes a development key in its data folder.',
      'Or configure tokenKeys with a secret, or: export TUTTI_TOKEN_HMAC_SECRET="$(openssl rand -base64 48)"',
      'With public keys only, tokens are made by who has the private key: your backend.',
      ...problems.map((problem) => `- ${problem}`),
    ],
  });
}

function draftOf(flags: Flags, caps: readonly string[]): TokenDraft {
  if (flags.channel !== undefined && (caps.length > 0 || flags.channels !== undefined)) {
    throw usageError('a subscription token (--channel) opens one channel, and carries no --caps or --channels');
  }
  if (flags.channel === '') throw usageError('--channel must name a channel, such as chat:general');
  const expiresAtMs = expiryOf(flags.expires);
  return {
    user: flags.user,
    ...(flags.channel === undefined ? {} : { channel: flags.channel }),
    issuedAtMs: Date.now(),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(flags.jti === undefined ? {} : { id: idOf(flags.jti) }),
    ...(flags.info === undefined ? {} : { info: jsonOf(flags.info) }),
    ...(flags.channels === undefined ? {} : { channels: words(flags.channels) }),
    ...(caps.length === 0 ? {} : { capabilities: caps.map(capabilityOf) }),
  };
}

/** Moment of expiry; undefined for never. Throws a usage error. */
function expiryOf(written: string): number | undefined {
  if (written === 'never') return undefined;
  const match = /^(\d{1,6})([smhd])$/.exec(written);
  if (match === null)
    throw usageError(`--expires must be a duration such as 30s, 5m, 1h or 7d, or never; not ${written}`);
  return Date.now() + Number(match[1]) * (units.get(match[2] ?? '') ?? 0);
}

function idOf(jti: string): string {
  if (jti !== '' && jti.length <= tokenIdCharsMax) return jti;
  throw usageError(`--jti must have 1 to ${tokenIdCharsMax} characters`);
}

/** `chat:*,news=subscribe,publish` */
export function capabilityOf(written: string): Capability {
  const [patterns = '', allowed = '', ...rest] = written.split('=');
  const channels = words(patterns);
  const allow = words(allowed);
  if (rest.length > 0 || channels.length === 0 || allow.length === 0) {
    throw usageError(`--caps must be PATTERN=VERBS, such as 'chat:*=subscribe,publish'; not ${written}`);
  }
  const wrong = allow.find((verb) => !(verbs as readonly string[]).includes(verb));
  if (wrong !== undefined) throw usageError(`--caps: ${wrong} is no verb; there are ${verbs.join(', ')}`);
  return { channels, allow: allow as Verb[] };
}

function jsonOf(written: string): unknown {
  try {
    return JSON.parse(written) as unknown;
  } catch {
    throw usageError(`--info must be JSON, such as '{"name":"Ann"}'`);
  }
}

function words(written: string): string[] {
  return written
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
