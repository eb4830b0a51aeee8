import type { TuttiError } from '@tutti/client';
import { rejections } from '@tutti/protocol';
import type { Verb } from '@tutti/server/auth';

import { CliError } from './cli-error.ts';
import { namespaceOf } from '@tutti/server/config';

const probeTimeoutMs = 2_000;

const allowOption: Readonly<Record<Verb, string>> = {
  subscribe: 'allowSubscribe',
  publish: 'allowPublish',
  history: 'allowHistory',
  presence: 'allowPresence',
};
const featureOption: Readonly<Partial<Record<Verb, string>>> = { history: 'historySize', presence: 'presence' };

/** A refusal of the server in words, and what to do. */
export function explain(error: TuttiError, wish: { verb: Verb; channels: readonly string[] }): CliError {
  return new CliError(`${wish.verb} ${wish.channels.join(' ')}: ${error.message} (code ${error.code})`, {
    remedies: remedies(error, wish.verb, wish.channels[0] ?? ''),
    cause: error,
  });
}

function remedies({ code }: TuttiError, verb: Verb, channel: string): string[] {
  const namespace = namespaceOf(channel);
  switch (code) {
    case rejections.permissionDenied.code:
      return [
        `Open it with the option namespaces.${namespace}.${allowOption[verb]},`,
        `or with a token: --token "$(tutti token --user ann --caps '${channel}=${verb}')".`,
      ];
    case rejections.unknownChannel.code:
      return [
        `Add "${namespace}" to the option namespaces, or correct the part before the colon.`,
        '`tutti config show` lists the namespaces.',
      ];
    case rejections.notAvailable.code:
      return [`Switch it on with the option namespaces.${namespace}.${featureOption[verb] ?? allowOption[verb]}.`];
    default: {
      const remedy = Object.values(rejections).find((kind) => kind.code === code)?.remedy ?? '';
      return remedy === '' ? [] : [remedy];
    }
  }
}

/** Where the token of a command came from; `dev`: signed with the key that `tutti dev` made in the data folder. */
export type TokenOrigin = 'none' | 'given' | 'configured' | 'dev';

const tokenRemedies: Readonly<Record<TokenOrigin, readonly string[]>> = {
  none: ['Make one with `tutti token`, where the configuration of the server is; or give one with --token.'],
  given: ['Make one with `tutti token`, where the configuration of the server is; or ask whoever made this one.'],
  configured: [
    'It was signed with the key of the configuration here. Is it that of the server? Or is its user revoked?',
  ],
  dev: [
    'It was signed with the key of `tutti dev`, as the configuration here has none with a secret.',
    'Give one that the backend or the login service of this server made: --token or TUTTI_TOKEN.',
  ],
};

/** Why there is no connection: a WebSocket alone does not say, so the server's health is asked too. */
export async function explainNoConnection(
  url: string,
  failure: { code: number; reason: string; tokenOrigin: TokenOrigin },
): Promise<CliError> {
  const { origin, host } = new URL(url.replace(/^ws/, 'http'));
  if (failure.code === 3500 || failure.code === rejections.tokenExpired.code) {
    const what = failure.tokenOrigin === 'none' ? 'asks for a token' : `refused the token: ${failure.reason}`;
    return new CliError(`${host} ${what}`, { remedies: [...tokenRemedies[failure.tokenOrigin]] });
  }
  const health = await probe(origin);
  if (health === 'alive') {
    const reason = failure.reason === '' ? 'it gave no reason' : failure.reason;
    return new CliError(`${host} is a server, and refused the connection: ${reason} (code ${failure.code})`, {
      remedies: ['Its log says why; start it with --log-level debug for more.'],
    });
  }
  if (health === 'ENOTFOUND' || health === 'EAI_AGAIN') {
    return new CliError(`there is no host named ${host}`, { remedies: ['Correct --url or TUTTI_URL.'] });
  }
  if (health === 'ECONNREFUSED') {
    return new CliError(`nothing listens at ${host}`, {
      remedies: ['Is the server running? Start one: npx tutti dev', 'Is it elsewhere? Say so: --url ws://HOST:PORT'],
    });
  }
  if (/CERT|SIGNATURE/.test(health ?? '')) {
    return new CliError(`the certificate of ${host} is not believed here: ${health}`, {
      remedies: [
        'Name its authority: NODE_EXTRA_CA_CERTS=authority.pem; or the host that it is for, with --url https://HOST.',
      ],
    });
  }
  const reason = health ?? (failure.reason === '' ? 'it cannot be reached' : failure.reason);
  return new CliError(`no connection to ${host}: ${reason}`, {
    remedies: ['Is this a Tutti server, and reachable from here? Is the server running? Start one: npx tutti dev'],
  });
}

async function probe(origin: string): Promise<string | undefined> {
  try {
    const response = await fetch(`${origin}/health`, { signal: AbortSignal.timeout(probeTimeoutMs) });
    return response.ok ? 'alive' : `it answers ${response.status} to /health`;
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
    return typeof cause?.code === 'string' ? cause.code : undefined;
  }
}
