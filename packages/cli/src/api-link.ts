import { ApiError, ApiUnavailable, TuttiApi } from '@tutti/api';
import { withDevApiKey, type ApiKey, type ApiMethodName } from '@tutti/server/config';
import type { Command } from 'commander';

import { CliError } from './cli-error.ts';
import { explainNoConnection } from './explain.ts';
import { anyConfig, type Surroundings } from './local-config.ts';
import { addTenantFlag, tenantFlag } from './own-tenant.ts';
import { givenUrl } from './server-link.ts';
import { addSettingsFlags } from './settings-flags.ts';

export function addApiFlags(command: Command): Command {
  command
    .option('--url <url>', 'server, such as https://tutti.example.com (default: TUTTI_URL, else this machine)')
    .option('--api-key <key>', 'key of the server API (default: TUTTI_API_KEY, else one of the local configuration)');
  return addSettingsFlags(addTenantFlag(command), ['port', 'dataDir']);
}

/** Runs `use` with the server API of the node. `method` is what will be called. Errors come out explained. */
export async function withApi<R>(
  flags: Readonly<Record<string, unknown>>,
  around: Surroundings,
  method: ApiMethodName,
  use: (api: TuttiApi) => Promise<R>,
): Promise<R> {
  const tenant = tenantFlag(flags['tenant']);
  const { settings } = await anyConfig('serve', flags, around);
  const url = givenUrl(flags, around, settings);
  const given = text(flags['apiKey']) ?? text(around.env['TUTTI_API_KEY']);
  const key = given ?? keyFor(method, tenant, withDevApiKey(settings, { create: false }).apiKeys);
  if (key === undefined) throw noKey(method, tenant);
  const { origin } = new URL(url.replace(/^ws/, 'http'));
  try {
    return await use(new TuttiApi({ url: origin, key, ...(tenant === undefined ? {} : { tenant }) }));
  } catch (error) {
    if (error instanceof ApiUnavailable)
      throw await explainNoConnection(url, { code: 0, reason: error.message, tokenOrigin: 'given' });
    if (error instanceof ApiError) throw explained(error, method);
    throw error;
  }
}

/** A configured key that may do this. The node decides; this only spares it keys that it would refuse. */
function keyFor(method: ApiMethodName, tenant: string | undefined, keys: readonly ApiKey[]): string | undefined {
  const fits = ({ allow, channels, tenant: own }: ApiKey): boolean =>
    (allow.includes(method) || (allow.includes('*') && channels === undefined)) &&
    (own === undefined || own === tenant);
  return keys.find(fits)?.key;
}

function noKey(method: ApiMethodName, tenant: string | undefined): CliError {
  const whose = tenant === undefined ? '' : `, for tenant ${JSON.stringify(tenant)}`;
  return new CliError(`there is no key of the server API here that allows ${method}${whose}`, {
    remedies: [
      'Give one with --api-key or TUTTI_API_KEY, or run this where the configuration of the node is.',
      'In the folder of a `tutti dev` its own key is used. A key of one tenant is used with --tenant.',
    ],
  });
}

function explained(error: ApiError, method: string): CliError {
  const remedies = error.remedy === '' ? [] : [error.remedy];
  if (error.message.includes('tenant'))
    remedies.push("Say whose with --tenant NAME; --tenant '' is the operator's own space.");
  return new CliError(`${method}: ${error.message} (code ${error.code})`, { remedies, cause: error });
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
