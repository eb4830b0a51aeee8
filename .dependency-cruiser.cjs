// Which way imports may point. Every rule says why; scripts/boundaries.test.ts plants a violation of
// each and sees it reported. `$1` in a target is what the first group of the source matched.

/** Tests, and what only tests use: a folder `testing` beside them. */
const tests = '[.](test|bench)[.]tsx?$|/testing/';
const server = '^packages/server/src';

/** Contract files of the server: what a seam promises, free of any implementation. */
const contracts = [
  `${server}/broker/broker[.]ts$`,
  `${server}/presence/presence[.]ts$`,
  `${server}/revocation/revocation-list[.]ts$`,
  `${server}/last-seen/last-seen[.]ts$`,
  `${server}/transport/transport[.]ts$`,
  // What tokens and hooks may say of a user is read in one place.
  `${server}/auth/(authenticator|authorizer|capability)[.]ts$`,
  `${server}/cluster/(control-bus|peers|message-fields)[.]ts$`,
  `${server}/hooks/hooks[.]ts$`,
  `${server}/config/(api-key|channel-pattern|hook-functions|namespace|redis-target|rpc-handler|token-issuer|token-key)[.]ts$`,
  `${server}/config/(settings|tenant)[.]ts$`,
  `${server}/config/webhook[.]ts$`,
  `${server}/telemetry/telemetry[.]ts$`,
  `${server}/observer/node-observer[.]ts$`,
  // How requests are signed is agreed with whoever receives them: one format for webhooks and hooks.
  `${server}/runtime/sign-request[.]ts$`,
];

/** Folders that hold implementations of a contract, one noun each. */
const adapters =
  '(broker|revocation|last-seen|cluster|presence|transport|auth|hooks|webhooks|telemetry|http|runtime|config)';

/** What of core an adapter may know: the words it shares with everybody. */
const coreWords = `${server}/core/(clock|random|fault)[.]ts$`;

const npm = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-bundled', 'npm-no-pkg', 'npm-unknown'];

/** A driver belongs to its one adapter: swapping the engine then touches one folder. */
const drivers = [
  // The bench measures ws itself, as a server to compare with.
  ['ws', 'ws', `${server}/transport/|^packages/bench/src/targets/ws-server[.]ts$`],
  ['jose', 'jose', `${server}/auth/|^packages/cli/src/`],
  ['pino', 'pino', `${server}/telemetry/`],
  ['prom-client', 'prom-client', `${server}/telemetry/`],
  ['sqlite', '(node:)?sqlite', `${server}/(broker|presence|revocation|last-seen)/`],
  ['nats', '@nats-io/(transport-node|jetstream|kv|nats-core)', `${server}/(broker|cluster|revocation|last-seen)/nats/`],
  ['redis', 'ioredis', `${server}/(broker|cluster)/redis/`],
  ['commander', 'commander', '^packages/cli/src/'],
];

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment:
        'Two files in a cycle are one module in two files: neither can be read, tested or moved alone. Types count.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere only works on the machine where it was written.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '[.](css|svg|png)$|^virtual:' },
    },
    {
      name: 'protocol-is-a-leaf',
      comment: 'Everybody speaks the protocol, in browsers too: it must drag in nothing, not even Node.',
      severity: 'error',
      from: { path: '^packages/protocol/src/', pathNot: tests },
      to: { pathNot: '^packages/protocol/' },
    },
    {
      name: 'client-knows-only-protocol',
      comment:
        'The SDK ships to browsers within 12 KB and with no runtime dependency, so it may know the protocol alone.',
      severity: 'error',
      from: { path: '^packages/client/src/', pathNot: tests },
      to: { pathNot: '^packages/(client|protocol)/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'client-without-node',
      comment: 'The SDK runs in browsers: a Node built-in would break it there, or make bundlers ship a polyfill.',
      severity: 'error',
      from: { path: '^packages/client/src/', pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'dashboard-knows-only-client',
      comment: 'The dashboard is a user of the SDK like any other; knowing the server would hide what users lack.',
      severity: 'error',
      from: { path: '^packages/dashboard/src/', pathNot: tests },
      to: { path: '^packages/', pathNot: '^packages/(dashboard|client|protocol)/' },
    },
    {
      name: 'bench-knows-only-client',
      comment: 'A bench that shares code with the server measures something no user has.',
      severity: 'error',
      from: { path: '^packages/bench/src/', pathNot: tests },
      to: { path: '^packages/', pathNot: '^packages/(bench|client|protocol)/' },
    },
    {
      name: 'server-knows-only-protocol',
      comment:
        'The engine stands below its SDK, command and console; knowing one of them would be a cycle between packages.',
      severity: 'error',
      from: { path: '^packages/server/src/', pathNot: tests },
      to: { path: '^packages/', pathNot: '^packages/(server|protocol)/' },
    },
    {
      name: 'backend-sdk-knows-nobody',
      comment: 'Backends take @tutti/api for its few lines: it must bring nothing along, and run wherever fetch is.',
      severity: 'error',
      from: { path: '^packages/api/src/', pathNot: tests },
      to: { pathNot: '^packages/api/' },
    },
    {
      name: 'front-door',
      comment:
        'Packages know each other by their exports; a relative path into another package makes all of it public.',
      severity: 'error',
      // testkit may look into anything: it compares implementations with what they are made of.
      from: { path: '^packages/([^/]+)/', pathNot: '^packages/testkit/' },
      to: {
        path: '^packages/',
        pathNot: [
          '^packages/$1/',
          '^packages/[^/]+/src/index[.]ts$',
          '^packages/protocol/src/(json/index|protobuf/index|errors)[.]ts$',
          '^packages/client/src/protobuf[.]ts$',
          '^packages/server/src/(internal|config/index|auth/index)[.]ts$',
          '^packages/testkit/src/.+[.]ts$',
        ],
      },
    },
    {
      name: 'core-imports-contracts-only',
      comment: 'Core is the same on every engine and transport: it sees what they promise, never how they do it.',
      severity: 'error',
      from: { path: `${server}/core/`, pathNot: tests },
      to: { path: `${server}/`, pathNot: [`${server}/core/`, ...contracts] },
    },
    {
      name: 'core-without-drivers',
      comment: 'A driver in core would decide the engine for everybody.',
      severity: 'error',
      from: { path: `${server}/core/`, pathNot: tests },
      to: { dependencyTypes: npm, pathNot: '^packages/protocol/' },
    },
    {
      name: 'core-without-io',
      comment: 'Core touches no file, socket, timer or thread itself, so that a simulation can run it from a seed.',
      severity: 'error',
      from: { path: `${server}/core/`, pathNot: tests },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(assert|buffer|events)(/|$)' },
    },
    {
      name: 'contracts-are-pure',
      comment: 'A contract that imports an implementation is no contract: all others would depend on that one.',
      severity: 'error',
      from: { path: contracts },
      to: { pathNot: [...contracts, coreWords, '^packages/protocol/', '^(node:)?crypto$'] },
    },
    {
      name: 'adapters-do-not-know-core',
      comment: 'An adapter satisfies its contract; knowing who calls it would tie every engine to one core.',
      severity: 'error',
      from: { path: `${server}/${adapters}/`, pathNot: tests },
      to: { path: `${server}/core/`, pathNot: coreWords },
    },
    {
      name: 'adapters-do-not-know-each-other',
      comment:
        'Engines and transports are exchanged one at a time; two that know each other must be exchanged together.',
      severity: 'error',
      from: { path: `${server}/${adapters}/`, pathNot: tests },
      to: { path: `${server}/${adapters}/`, pathNot: [`${server}/$1/`, ...contracts] },
    },
    {
      name: 'api-knows-contracts-only',
      comment: 'The server API asks a node through its own contract: what runs behind it is for the wiring to choose.',
      severity: 'error',
      from: { path: `${server}/api/`, pathNot: tests },
      to: { path: `${server}/`, pathNot: [`${server}/api/`, `${server}/http/respond[.]ts$`, ...contracts] },
    },
    {
      name: 'only-wiring-knows-api',
      comment: 'The server API is a face of the node: nothing inside may depend on it.',
      severity: 'error',
      from: { path: `${server}/.+/`, pathNot: [tests, `${server}/api/`] },
      to: { path: `${server}/api/` },
    },
    {
      name: 'only-wiring-picks',
      comment: 'wiring.ts is the only place that picks implementations, and so the only one to read for what runs.',
      severity: 'error',
      from: {
        path: `${server}/[^/]+[.]ts$`,
        pathNot: [tests, `${server}/(wiring|index|internal|internal-nats)[.]ts$`],
      },
      to: { path: `${server}/${adapters}/`, pathNot: [...contracts, `${server}/config/`] },
    },
    ...drivers.map(([name, module, home]) => ({
      name: `driver-${name}`,
      comment: `${module} is imported by its one adapter: replacing it then touches one folder.`,
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: [tests, home, '^packages/testkit/'] },
      to: { path: `(^|node_modules/)${module}(/|$)` },
    })),
    {
      name: 'no-testkit-in-source',
      comment: 'What ships must not depend on what tests it.',
      severity: 'error',
      from: { path: '^packages/', pathNot: [tests, '^packages/testkit/'] },
      to: { path: '^packages/testkit/' },
    },
    {
      name: 'no-tests-in-source',
      comment: 'A test is imported by nobody: a shared part of it belongs into testkit.',
      severity: 'error',
      from: { pathNot: tests },
      to: { path: tests },
    },
    {
      name: 'declared-dependencies',
      comment:
        'What ships names what it needs: a module found only because the workspace has it is missing after install.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: [tests, '^packages/dashboard/'] },
      // An optional peer is a development dependency here, too.
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only', 'npm-peer'] },
    },
    {
      name: 'no-orphans',
      comment: 'A file that nobody imports and that imports nobody is dead, or forgotten.',
      severity: 'error',
      from: {
        orphan: true,
        path: '^packages/[^/]+/src/',
        pathNot: [tests, '[.]d[.]ts$', '/src/(index|main|internal)[.]tsx?$'],
      },
      to: {},
    },
  ],
  options: {
    // Types count: a type-only import ties two files as well.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules/[.]cache|dist)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.d.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
