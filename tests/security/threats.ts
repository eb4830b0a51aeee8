/**
 * The threats of docs/spec/security.md, and how far each is met. `npm run docs` prints it as
 * docs/operations/security.md; threats.test.ts checks that every proof named here exists.
 */
export interface Threat {
  readonly id: `S${number}`;
  readonly threat: string;
  /** The best of the files that hold a test whose title begins with the id. None: all that there are, see `proofsOf`. */
  readonly proofs: readonly string[];
  /** What is not met yet, and what to do until it is. */
  readonly open?: string;
}

const server = 'packages/server/src';
const live = 'tests/security/live-attacks.test.ts';

export const threats: readonly Threat[] = [
  {
    id: 'S1',
    threat: 'a page of another site uses a visitor’s connection',
    proofs: [
      'tests/security/cross-site.test.ts',
      `${server}/transport/websocket/handshake.test.ts`,
      `${server}/transport/stream/stream-attacks.test.ts`,
    ],
  },
  {
    id: 'S2',
    threat: 'a malformed host, origin, path or header ends the process',
    proofs: [live, `${server}/http/http-server.test.ts`, `${server}/transport/websocket/handshake.test.ts`],
  },
  {
    id: 'S3',
    threat: 'floods of headers, and headers that never end',
    proofs: [live, `${server}/http/http-server.test.ts`],
  },
  {
    id: 'S4',
    threat: 'requests smuggled behind an upgrade',
    proofs: [live, `${server}/transport/websocket/handshake.test.ts`, `${server}/http/http-server.test.ts`],
    open: 'Shown on raw sockets of the node; not yet through real proxies, which may forward what a node would refuse.',
  },
  {
    id: 'S5',
    threat: 'tokens without a signature, or signed by another kind of key',
    proofs: [`${server}/auth/token-verifier.test.ts`],
  },
  { id: 'S6', threat: 'tokens that bring their own key', proofs: [`${server}/auth/token-verifier.test.ts`] },
  {
    id: 'S7',
    threat: 'claims used before the signature was checked',
    proofs: [`${server}/auth/token-verifier.test.ts`],
  },
  {
    id: 'S8',
    threat: 'access after a token has expired, or was revoked',
    proofs: [`${server}/auth/token-verifier.test.ts`, `${server}/auth/jwt-authenticator.test.ts`],
    open: 'Revocation is CON-6, with tests of its own; `npm run proof -- revoke` loses every message between running nodes. A node that cannot reach the list itself knows of nothing new until it can.',
  },
  {
    id: 'S9',
    threat: 'tokens and keys tried until one fits',
    proofs: [
      `${server}/wiring/api-pace.test.ts`,
      `${server}/wiring/address-pace.test.ts`,
      `${server}/core/token-failures.test.ts`,
      `${server}/auth/jwt-authenticator.test.ts`,
    ],
  },
  {
    id: 'S10',
    threat: 'a channel reached by another spelling of its name, or by another command',
    proofs: [`${server}/config/channel-name.test.ts`, `${server}/auth/namespace-authorizer.test.ts`],
  },
  {
    id: 'S11',
    threat: 'one tenant sees another',
    proofs: [
      `${server}/core/session-tenants.test.ts`,
      `${server}/api/api-tenants.test.ts`,
      `${server}/config/tenant.test.ts`,
    ],
  },
  {
    id: 'S12',
    threat: 'prototype pollution',
    proofs: [live, `${server}/core/session-attacks.test.ts`, `${server}/api/api-hostile.test.ts`],
  },
  {
    id: 'S13',
    threat: 'deep, repeated or odd JSON',
    proofs: [live, 'packages/protocol/src/json/index.test.ts', 'tests/fuzz/decoders.test.ts'],
  },
  {
    id: 'S14',
    threat: 'huge, many or tiny frames',
    proofs: [`${server}/transport/websocket/websocket-transport.test.ts`],
  },
  {
    id: 'S15',
    threat: 'floods of control frames',
    proofs: [`${server}/transport/websocket/websocket-transport.test.ts`],
  },
  { id: 'S16', threat: 'decompression bombs', proofs: [`${server}/transport/websocket/websocket-transport.test.ts`] },
  {
    id: 'S17',
    threat: 'secrets guessed by the length of what was compressed',
    proofs: [],
    open: 'Nothing is compressed, so there is nothing to guess. Keep compression off for these paths in a proxy, too.',
  },
  {
    id: 'S18',
    threat: 'text that is no UTF-8, and NUL',
    proofs: [
      live,
      'packages/protocol/src/json/index.test.ts',
      `${server}/transport/websocket/websocket-transport.test.ts`,
    ],
    open: 'NUL in payloads passes; there is no store yet that could not hold it.',
  },
  {
    id: 'S19',
    threat: 'memory that was not cleared reaches a peer',
    proofs: [`${server}/transport/websocket/frame.test.ts`],
  },
  { id: 'S20', threat: 'memory that closed sessions leave behind', proofs: [`${server}/core/session-members.test.ts`] },
  {
    id: 'S21',
    threat: 'floods of connections and commands',
    proofs: [
      `${server}/core/command-pace.test.ts`,
      `${server}/core/command-limits.test.ts`,
      `${server}/wiring/address-pace.test.ts`,
      `${server}/wiring.test.ts`,
      `${server}/core/session-attacks.test.ts`,
    ],
  },
  { id: 'S22', threat: 'input that holds the event loop', proofs: [live, `${server}/core/session-attacks.test.ts`] },
  {
    id: 'S23',
    threat: 'an error of one connection ends the node',
    proofs: [live, 'tests/fuzz/sessions.test.ts', `${server}/http/http-server.test.ts`],
  },
  {
    id: 'S24',
    threat: 'streams over HTTP with weaker rules than WebSocket',
    proofs: [`${server}/transport/stream/stream-attacks.test.ts`],
  },
  {
    id: 'S25',
    threat: 'messages between nodes as a way in',
    proofs: [`${server}/cluster/envelope.test.ts`, `${server}/cluster/cluster.test.ts`],
    open: 'Only what nodes tell each other is signed (clusterSecret), and nothing is hidden. Publications, revocations and last seen lie unsigned in Redis or NATS: who may write there can publish to every channel in any user’s name and undo revocations, and so speaks for the cluster; who may read there reads all payloads. Keep the engine in a network of its own, with credentials for nodes alone and TLS.',
  },
  {
    id: 'S26',
    threat: 'webhooks sent to inner addresses',
    proofs: [`${server}/webhooks/webhook-client.test.ts`, `${server}/webhooks/address-guard.test.ts`],
  },
  {
    id: 'S27',
    threat: 'the console: hostile names, and who may open it',
    proofs: [
      'tests/e2e/console.test.ts',
      'tests/security/hostile-names.test.ts',
      `${server}/auth/operator-authenticator.test.ts`,
      `${server}/wiring.test.ts`,
    ],
  },
  {
    id: 'S28',
    threat: 'metrics and health that tell too much, or cost too much',
    proofs: [
      `${server}/core/readiness.test.ts`,
      `${server}/wiring/canaries.test.ts`,
      `${server}/telemetry/prometheus.test.ts`,
      `${server}/http/http-server.test.ts`,
      `${server}/wiring.test.ts`,
    ],
  },
  {
    id: 'S29',
    threat: 'secrets in logs',
    proofs: ['tests/security/planted-secrets.test.ts', `${server}/telemetry/telemetry.test.ts`],
  },
  { id: 'S30', threat: 'SQL by input', proofs: [`${server}/broker/sqlite-names.test.ts`] },
  {
    id: 'S31',
    threat: 'a hostile or vulnerable dependency',
    proofs: ['scripts/advisories.test.ts'],
    open: 'The table of advisories is kept by hand (docs/operations/advisories.json): run `npm audit` besides. Install with `npm ci --ignore-scripts` where the Node of the machine will do.',
  },
  { id: 'S32', threat: 'a Node without security updates', proofs: ['scripts/require-node.test.ts'] },
  {
    id: 'S33',
    threat: 'old or endless TLS, and certificates that run out',
    proofs: ['tests/e2e/tls.test.ts', `${server}/http/tls.test.ts`],
    open: 'The port of the metrics, and of the console where it is there, speaks plain HTTP: leave it on loopback, or put a proxy before it.',
  },
  {
    id: 'S34',
    threat: 'keys that a user invents without end',
    proofs: [`${server}/core/session-attacks.test.ts`],
  },
  { id: 'S35', threat: 'document operations that cost without bound', proofs: [], open: 'There are no documents yet.' },
  {
    id: 'S36',
    threat: 'a key of the server API opens more than it should',
    proofs: [`${server}/api/api-keys.test.ts`],
  },
];
