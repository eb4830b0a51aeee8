import { Tutti, TuttiError } from '@tutti/client';
import { mintToken, type Verb } from '@tutti/server/auth';
import type { Settings } from '@tutti/server/config';
import type { Command } from 'commander';

import { usageError } from './cli-error.ts';
import { explain, explainNoConnection, type TokenOrigin } from './explain.ts';
import { anyConfig, hasOnlyDevKey, signingKey, type Surroundings } from './local-config.ts';
import { addTenantFlag, tenantClaims } from './own-tenant.ts';
import { addSettingsFlags } from './settings-flags.ts';

/** Lifetime of a token that the command makes for itself. */
const ownTokenMs = 5 * 60_000;
const path = '/connection/websocket';

/** What is asked, so that a token for exactly this can be made, and a refusal be explained. */
export interface Wish {
  readonly verb: Verb;
  readonly channels: readonly string[];
}

export function addLinkFlags(command: Command): Command {
  command
    .option('--url <url>', 'server, such as wss://tutti.example.com (default: TUTTI_URL, else this machine)')
    .option('--token <token>', 'connection token (default: TUTTI_TOKEN, else one made with the local key)')
    .option('--user <name>', 'user of a token made with the local key', 'cli');
  return addSettingsFlags(addTenantFlag(command), ['port', 'dataDir', 'tenantClaim']);
}

/** Connects, runs `use`, and closes. Errors come out explained. */
export async function withServer<R>(
  flags: Readonly<Record<string, unknown>>,
  around: Surroundings,
  wish: Wish,
  use: (client: Tutti) => Promise<R>,
): Promise<R> {
  const { url, token, tokenOrigin } = await target(flags, around, wish);
  const client = new Tutti(url, { ...(token === undefined ? {} : { token }), name: 'tutti-cli' });
  // Connection errors are told by `connected`; a listener keeps them from being thrown as unhandled.
  client.on('error', () => undefined);
  try {
    await connected(client, url, tokenOrigin);
    return await use(client);
  } catch (error) {
    if (error instanceof TuttiError) throw explain(error, wish);
    throw error;
  } finally {
    client.close();
  }
}

/** Resolves once connected. The first failure counts: who types a command wants to know, not wait. */
async function connected(client: Tutti, url: string, tokenOrigin: TokenOrigin): Promise<void> {
  const failure = await new Promise<{ code: number; reason: string } | undefined>((resolve) => {
    client.on('state', ({ to, code, reason }) => {
      if (to === 'connected') resolve(undefined);
      else if (to === 'waiting' || to === 'disconnected') resolve({ code, reason });
    });
  });
  if (failure !== undefined) throw await explainNoConnection(url, { ...failure, tokenOrigin });
}

async function target(
  flags: Readonly<Record<string, unknown>>,
  { env, cwd }: Surroundings,
  wish: Wish,
): Promise<{ url: string; token: string | undefined; tokenOrigin: TokenOrigin }> {
  const given = text(flags['token']) ?? text(env['TUTTI_TOKEN']);
  const config = await anyConfig('serve', flags, { env, cwd });
  const url = givenUrl(flags, { env }, config.settings);
  const key = given === undefined ? signingKey(config) : undefined;
  if (key === undefined) {
    if (flags['tenant'] !== undefined)
      throw usageError('--tenant is for a token that is made here; one that is given says itself whose it is');
    return { url, token: given, tokenOrigin: given === undefined ? 'none' : 'given' };
  }
  const { tokenIssuer, tokenAudience } = config.settings;
  const token = await mintToken(
    {
      user: text(flags['user']) ?? 'cli',
      issuedAtMs: Date.now(),
      expiresAtMs: Date.now() + ownTokenMs,
      ...tenantClaims(flags['tenant'], config.settings),
      capabilities: [{ channels: wish.channels, allow: [wish.verb] }],
      ...(tokenIssuer === '' ? {} : { issuer: tokenIssuer }),
      ...(tokenAudience === '' ? {} : { audience: tokenAudience }),
    },
    key,
  );
  return { url, token, tokenOrigin: hasOnlyDevKey(config) ? 'dev' : 'configured' };
}

/** The WebSocket endpoint that flags and environment name, else that of the configured port here. Throws a usage error. */
export function givenUrl(
  flags: Readonly<Record<string, unknown>>,
  { env }: Pick<Surroundings, 'env'>,
  { port, tlsCertFile }: Pick<Settings, 'port' | 'tlsCertFile'>,
): string {
  // A certificate is of a name, seldom of an address.
  const here = tlsCertFile === '' ? `ws://127.0.0.1:${port}` : `wss://localhost:${port}`;
  return endpoint(text(flags['url']) ?? text(env['TUTTI_URL']) ?? here);
}

/** The WebSocket endpoint of what a person calls the server. Throws a usage error. */
export function endpoint(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const protocol = parsed?.protocol.replace(/^http/, 'ws');
  if (parsed === undefined || (protocol !== 'ws:' && protocol !== 'wss:')) {
    throw usageError(
      `--url ${JSON.stringify(url)} is no address of a server`,
      'Write it as ws://localhost:8000 or https://tutti.example.com.',
    );
  }
  const given = parsed.pathname === '/' ? path : parsed.pathname;
  return `${protocol}//${parsed.host}${given}${parsed.search}`;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
