import type { OptionTable } from '../option-spec.ts';
import { hour } from './units.ts';

/** Who may connect, and how clients show who they are. */
export const identityOptions = {
  allowedOrigins: {
    type: 'list',
    default: [],
    since: '0.1',
    description:
      "Pages that may connect, as exact origins (`https://app.example.com`), besides the node's own. `*` alone: every page. Clients that are no browser send no origin and are not concerned.",
  },
  tokenIssuer: {
    type: 'text',
    default: '',
    since: '0.1',
    description: 'The `iss` that tokens must carry. Empty: not checked.',
  },
  tokenAudience: {
    type: 'text',
    default: '',
    since: '0.1',
    description: 'The `aud` that tokens must carry. Empty: not checked.',
  },
  tokenKeys: {
    type: 'keys',
    default: [],
    secret: true,
    since: '0.1',
    description:
      'Keys that verify tokens: a list of `{alg, kid?, secret}` or `{alg, kid?, publicKey}` or `{alg, kid?, publicKeyFile}`. A key is used with its own algorithm only.',
  },
  tokenHmacSecret: {
    type: 'text',
    default: '',
    secret: true,
    since: '0.1',
    description: 'Short for one key with algorithm HS256. At least 32 bytes.',
  },
  tokenIssuers: {
    type: 'issuers',
    default: [],
    since: '0.1',
    description:
      'Issuers that publish their keys (JWKS): a list of `{issuer, jwksUrl, audience?, tenant?}`. A token with such an `iss` is verified with the keys of that address alone. With `tenant` the issuer speaks for that tenant and no other.',
  },
  jwksRefreshInterval: {
    type: 'duration',
    default: '10m',
    min: 1_000,
    max: 24 * hour,
    since: '0.1',
    description: 'Published keys are fetched again that often; a key that is not there any more is believed no longer.',
  },
  jwksStaleMax: {
    type: 'duration',
    default: '24h',
    min: 60_000,
    max: 30 * 24 * hour,
    since: '0.1',
    description:
      'While their address cannot be reached, published keys serve for so long. Longer than `jwksRefreshInterval`.',
  },
  tokenLeeway: {
    type: 'duration',
    default: '30s',
    min: 0,
    max: hour,
    since: '0.1',
    description:
      "How far the clock of a token's issuer may be ahead (`nbf`, `iat`). Expiry is exact; see `tokenGrace`.",
  },
  tokenGrace: {
    type: 'duration',
    default: '25s',
    min: 0,
    max: hour,
    since: '0.1',
    description:
      'How long a living connection goes on after its token expired, so that a refresh under way can arrive.',
  },
  tokenLifetimeMax: {
    type: 'duration',
    default: '0s',
    min: 0,
    max: 10 * 365 * 24 * hour,
    since: '0.1',
    description:
      'Longest time from the issue of a token (`iat`) to its expiry; one that lives longer, or has no `exp`, is refused. Revocations are forgotten a day after it. `0`: any, and revocations of users are kept for ever.',
  },
  revocationPollInterval: {
    type: 'duration',
    default: '5s',
    min: 100,
    max: hour,
    since: '0.1',
    description:
      'The node re-reads the list of what was revoked that often, whether or not it hears of changes: the longest that somebody revoked is still served.',
  },
  revocationsMax: {
    type: 'integer',
    default: 100_000,
    min: 100,
    max: 10_000_000,
    unit: 'revocations',
    since: '0.1',
    description: 'Revocations that are kept. A full list takes no more, and forgets none for a newer one.',
  },
  insecure: {
    type: 'boolean',
    default: false,
    since: '0.1',
    description: 'No token is needed. Only `tutti dev` accepts it, and only on a loopback address.',
  },
  allowAnonymous: {
    type: 'boolean',
    default: false,
    since: '0.1',
    description: 'Clients without a token may connect, with an empty user.',
  },
  tenantClaim: {
    type: 'text',
    default: '',
    since: '0.1',
    description:
      'The claim of tokens that says whose user it is, usually `tenant`. Channels and users of one tenant do not exist for another; a token without the claim is refused. Empty: there are no tenants.',
  },
  personalNamespace: {
    type: 'text',
    default: '',
    since: '0.1',
    description:
      'Namespace of personal channels: every connection of user `ann` is subscribed to `NAMESPACE:ann` by the server. Empty: off.',
  },
} as const satisfies OptionTable;
