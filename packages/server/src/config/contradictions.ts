import { createPublicKey } from 'node:crypto';
import { isIP } from 'node:net';

import { isNodeName } from '../cluster/control-bus.ts';
import { hookProblems } from './hook-problems.ts';
import type { Contradiction } from './contradiction.ts';
import { isNatsUrl, parseNatsUrls } from './nats-target.ts';
import { nearestName } from './nearest-name.ts';
import type { Settings } from './options.ts';
import { isRedisUrl, parseRedisUrl } from './redis-target.ts';
import { hour } from './options/units.ts';
import { tokenKeyProblem } from './token-key.ts';

/** `serve`: for others to reach. `dev`: one developer, one machine. */
export type Mode = 'serve' | 'dev';

/** What is wrong with settings that are right one by one. `hooks`: names of those that are functions. */
export function contradictions(
  settings: Settings,
  mode: Mode,
  hooks: ReadonlySet<string> = new Set<string>(),
): Contradiction[] {
  return [
    ...engineProblems(settings),
    ...insecureProblems(settings, mode),
    ...keyProblems(settings, mode, hooks),
    ...settings.allowedOrigins.flatMap(originProblem),
    ...settings.trustedProxies.flatMap((entry) => networkProblem('trustedProxies', entry)),
    ...settings.webhookNetworks.flatMap((entry) => networkProblem('webhookNetworks', entry)),
    ...webhookProblems(settings),
    ...metricsProblems(settings),
    ...tlsProblems(settings),
    ...personalProblems(settings),
    ...tenantProblems(settings),
    ...lifetimeProblems(settings),
    ...lastSeenProblems(settings),
    ...issuerProblems(settings),
    ...nameProblems(settings),
    ...(settings.pongTimeoutMs < settings.pingIntervalMs
      ? []
      : [{ option: 'pongTimeout', message: 'must be shorter than pingInterval' } as const]),
    ...resumeProblems(settings),
    ...clusterProblems(settings),
    ...hookProblems(settings, hooks),
  ];
}

/** 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function engineProblems({ engine, enginePrefix, engineCertFile, engineKeyFile }: Settings): Contradiction[] {
  const found: Contradiction[] = [];
  if ((engineCertFile === '') !== (engineKeyFile === '')) {
    const option = engineCertFile === '' ? 'engineCertFile' : 'engineKeyFile';
    found.push({ option, message: 'is empty: a certificate and its key belong together' });
  }
  if (!/^[\w.-]{1,64}$/.test(enginePrefix)) {
    found.push({ option: 'enginePrefix', message: 'must be 1 to 64 of the characters A-Z a-z 0-9 _ . -' });
  }
  if (engine === 'embedded') return found;
  // The value may be a URL with a password in it, and is not repeated.
  if (isNatsUrl(engine)) {
    const servers = parseNatsUrls(engine);
    return typeof servers === 'string' ? [...found, { option: 'engine', message: servers }] : found;
  }
  if (!isRedisUrl(engine)) {
    const message = 'must be embedded, nats://…, redis://…, redis+sentinel://… or redis+cluster://…';
    return [...found, { option: 'engine', message }];
  }
  const target = parseRedisUrl(engine);
  return typeof target === 'string' ? [...found, { option: 'engine', message: target }] : found;
}

/** What is kept is written again before it is forgotten: not all the time. */
function lastSeenProblems({ lastSeenTtlMs: ttlMs }: Settings): Contradiction[] {
  if (ttlMs === 0 || ttlMs >= hour) return [];
  return [{ option: 'lastSeenTtl', message: 'must be at least 1h; 0 turns it off' }];
}

function insecureProblems({ insecure, host }: Settings, mode: Mode): Contradiction[] {
  if (!insecure) return [];
  if (mode === 'serve') {
    return [{ option: 'insecure', message: 'is for tutti dev only: remove it here, and configure tokenKeys' }];
  }
  if (isLoopback(host)) return [];
  return [
    {
      option: 'host',
      message:
        'must be a loopback address (127.0.0.1, ::1, localhost), because everybody may do anything on a node that is insecure: use tutti serve for others to reach',
    },
  ];
}

function keyProblems(settings: Settings, mode: Mode, hooks: ReadonlySet<string>): Contradiction[] {
  const { tokenHmacSecret, tokenKeys, tokenIssuers, allowAnonymous, insecure } = settings;
  if (tokenHmacSecret !== '') {
    const problem = tokenKeyProblem({ alg: 'HS256', secret: tokenHmacSecret }, createPublicKey);
    return problem === undefined ? [] : [{ option: 'tokenHmacSecret', message: `is not usable: ${problem}` }];
  }
  if (mode === 'dev' || insecure || tokenKeys.length + tokenIssuers.length > 0 || allowAnonymous) return [];
  if (hooks.has('connect') || settings.connectHookUrl !== '') return [];
  const message =
    'is empty, and so is tokenHmacSecret: nobody could connect. For a start: export TUTTI_TOKEN_HMAC_SECRET="$(openssl rand -base64 48)", and make tokens with `tutti token` or in your backend. Or set allowAnonymous, or a connect hook, or use `tutti dev`';
  return [{ option: 'tokenKeys', message }];
}

function originProblem(origin: string): Contradiction[] {
  // Tokens travel in the first message and not in cookies, so a public service may let every page connect.
  if (origin === '*') return [];
  const shown = JSON.stringify(origin.slice(0, 80));
  if (origin.includes('*'))
    return [
      {
        option: 'allowedOrigins',
        message: `has ${shown}: patterns are not supported; list each origin, or write * alone for every page`,
      },
    ];
  const parsed = URL.canParse(origin) ? new URL(origin) : undefined;
  if (parsed !== undefined && parsed.origin === origin) return [];
  const meant = parsed === undefined || parsed.origin === 'null' ? 'https://app.example.com' : parsed.origin;
  return [{ option: 'allowedOrigins', message: `has ${shown}, which is no exact origin: write ${meant}` }];
}

function networkProblem(option: Contradiction['option'], entry: string): Contradiction[] {
  const [address = '', prefix = '', ...rest] = entry.split('/');
  const bits = isIP(address) === 4 ? 32 : 128;
  const isNetwork = /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits;
  if (isIP(address) !== 0 && rest.length === 0 && (!entry.includes('/') || isNetwork)) return [];
  const shown = JSON.stringify(entry.slice(0, 80));
  return [{ option, message: `has ${shown}, which is neither an address nor a network like 10.0.0.0/8` }];
}

/** Whatever else there is to say about where a webhook leads is known only when its name is resolved (S26). */
function webhookProblems({ webhooks, webhookNetworks, namespaces }: Settings): Contradiction[] {
  const found: Contradiction[] = [];
  for (const webhook of webhooks) {
    if (webhook.url.startsWith('http:') && webhookNetworks.length === 0) {
      const message = `has "${webhook.name}" with http: use https, or name the private network of its server in webhookNetworks (127.0.0.0/8 for development)`;
      found.push({ option: 'webhooks', message });
    }
    for (const name of webhook.namespaces ?? []) {
      if (namespaces.has(name)) continue;
      const near = nearestName(name, namespaces.keys());
      const hint = near === undefined ? 'add it to namespaces' : `did you mean ${near}?`;
      found.push({
        option: 'webhooks',
        message: `has "${webhook.name}" with the namespace ${name}, which is not configured; ${hint}`,
      });
    }
  }
  return found;
}

function metricsProblems({ metricsPort, port, console }: Settings): Contradiction[] {
  if (console === 'metricsPort' && metricsPort === 0) {
    return [
      { option: 'console', message: 'is to be on metricsPort, which is 0: give the metrics a port of their own' },
    ];
  }
  if (metricsPort === 0 || metricsPort !== port) return [];
  return [{ option: 'metricsPort', message: 'is the port of the node itself: choose another, or 0 to share it' }];
}

function tlsProblems({ tlsCertFile, tlsKeyFile }: Settings): Contradiction[] {
  if ((tlsCertFile === '') === (tlsKeyFile === '')) return [];
  const option = tlsCertFile === '' ? 'tlsCertFile' : 'tlsKeyFile';
  return [{ option, message: 'is empty: a certificate and its key belong together' }];
}

function personalProblems({ personalNamespace, namespaces }: Settings): Contradiction[] {
  if (personalNamespace === '' || namespaces.has(personalNamespace)) return [];
  const near = nearestName(personalNamespace, namespaces.keys());
  const hint = near === undefined ? 'add it to namespaces' : `did you mean ${near}?`;
  return [{ option: 'personalNamespace', message: `is no configured namespace; ${hint}` }];
}

/** Claims that have a meaning of their own could not name a tenant, too. */
const takenClaims = ['sub', 'exp', 'nbf', 'iat', 'iss', 'aud', 'jti', 'info', 'channels', 'channel', 'caps'];

function tenantProblems({ tenantClaim, apiKeys }: Settings): Contradiction[] {
  if (takenClaims.includes(tenantClaim))
    return [{ option: 'tenantClaim', message: `cannot be ${tenantClaim}, which means something else: use tenant` }];
  const bound = tenantClaim === '' ? apiKeys.find(({ tenant = '' }) => tenant !== '') : undefined;
  if (bound === undefined) return [];
  const message = `has a key "${bound.name}" of a tenant, and there are none: set tenantClaim, or leave tenant out`;
  return [{ option: 'apiKeys', message }];
}

function lifetimeProblems({ tokenLifetimeMaxMs }: Settings): Contradiction[] {
  if (tokenLifetimeMaxMs === 0 || tokenLifetimeMaxMs >= 60_000) return [];
  return [{ option: 'tokenLifetimeMax', message: 'must be at least 1m, or 0 for any' }];
}

function issuerProblems({
  tokenIssuers,
  tenantClaim,
  jwksStaleMaxMs,
  jwksRefreshIntervalMs,
}: Settings): Contradiction[] {
  const found: Contradiction[] = [];
  const bound = tenantClaim === '' ? tokenIssuers.find(({ tenant }) => tenant !== undefined) : undefined;
  if (bound !== undefined)
    found.push({ option: 'tokenIssuers', message: 'has an issuer of a tenant, and there are none: set tenantClaim' });
  if (jwksStaleMaxMs <= jwksRefreshIntervalMs)
    found.push({ option: 'jwksStaleMax', message: 'must be longer than jwksRefreshInterval' });
  return found;
}

/** CON-4: clients come back with one frame that has the connect and all their subscriptions. */
function resumeProblems({ pendingCommandsMax, subscriptionsMax }: Settings): Contradiction[] {
  if (pendingCommandsMax > subscriptionsMax) return [];
  const message = `must be at least ${subscriptionsMax + 1}, one more than subscriptionsMax: a client that comes back connects and subscribes in one frame, and would be closed each time`;
  return [{ option: 'pendingCommandsMax', message }];
}

function clusterProblems({ clusterSecret }: Settings): Contradiction[] {
  if (clusterSecret === '' || Buffer.byteLength(clusterSecret) >= 32) return [];
  const message = 'is shorter than 32 bytes: make one with `openssl rand -base64 48`, the same for all nodes';
  return [{ option: 'clusterSecret', message }];
}

function nameProblems({ host, dataDir, nodeName }: Settings): Contradiction[] {
  const found: Contradiction[] = [];
  if (host.trim() === '')
    found.push({ option: 'host', message: 'is empty: 127.0.0.1 for this machine only, 0.0.0.0 for all' });
  if (dataDir.trim() === '') found.push({ option: 'dataDir', message: 'is empty: name a folder, such as ./data' });
  if (nodeName !== '' && !isNodeName(nodeName)) {
    const message = 'must be at most 64 of the characters A-Z a-z 0-9 _ . -, with a letter or digit at both ends';
    found.push({ option: 'nodeName', message });
  }
  return found;
}
