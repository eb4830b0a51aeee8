import type { OptionTable } from '../option-spec.ts';
import { hour } from './units.ts';

/** Where a node listens and keeps things, and what it says of itself. */
export const nodeOptions = {
  host: {
    type: 'text',
    default: '127.0.0.1',
    since: '0.1',
    description:
      'Address to listen on. The default is reached from this machine only; `0.0.0.0` (or `::`) opens the node to the network.',
  },
  port: {
    type: 'integer',
    default: 8000,
    min: 0,
    max: 65_535,
    since: '0.1',
    description: 'Port to listen on. 0: any free one.',
  },
  tlsCertFile: {
    type: 'text',
    default: '',
    since: '0.1',
    description:
      'PEM file with the certificate of the node, and those that lead to its authority: then `port` speaks TLS (1.2 or newer) and nothing else. A renewed file is taken within 10 s, for new connections. Empty: plain HTTP, for a proxy in front that ends TLS.',
  },
  tlsKeyFile: {
    type: 'text',
    default: '',
    since: '0.1',
    description: 'PEM file with the key of `tlsCertFile`.',
  },
  dataDir: {
    type: 'text',
    default: './data',
    since: '0.1',
    description: 'Folder of durable channels. One node at a time uses it.',
  },
  engine: {
    type: 'text',
    default: 'embedded',
    since: '0.1',
    description:
      'Where channels live. `embedded`: in this process and `dataDir`. `redis://HOST:PORT`, `redis+sentinel://HOST,HOST/MASTER` or `redis+cluster://HOST,HOST` (`rediss` for TLS): in Redis 7 or newer, shared by all nodes that name it. `nats://HOST:4222,nats://OTHER:4222` (`tls` for TLS): in NATS 2.11 or newer with JetStream; `nats://USER:PASSWORD@HOST` for a user, `nats://TOKEN@HOST` for a token.',
  },
  nodeName: {
    type: 'text',
    default: '',
    since: '0.1',
    description: 'Name of this node in logs. Empty: one is made at start.',
  },
  metricsHost: {
    type: 'text',
    default: '127.0.0.1',
    since: '0.1',
    description: 'Address of the metrics, where they have a port of their own.',
  },
  metricsPort: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 65_535,
    since: '0.1',
    description:
      'Port for `/metrics`, `/health` and `/ready`, and the console where `console` says so. `0`: `/metrics` is served on `port`; where `host` is no loopback address, to a key of `apiKeys` with the right `metrics` alone.',
  },
  console: {
    type: 'choice',
    choices: ['port', 'metricsPort', 'off'],
    default: 'port',
    since: '0.1',
    description:
      'Where the pages of demos and console are served. `metricsPort`: on the port of the metrics and nowhere else, so that operators alone reach them. The console shows figures of the nodes where there is a namespace `tutti`, to a key of `apiKeys` with the right `console`.',
  },
  canaryInterval: {
    type: 'duration',
    default: '5s',
    min: 100,
    max: hour,
    since: '0.1',
    description:
      'How often the node sends a publication of its own through the broker, to know whether it is ready. For durable channels each is one commit.',
  },
  canaryTimeout: {
    type: 'duration',
    default: '2s',
    min: 50,
    max: 60_000,
    since: '0.1',
    description: 'A node whose own publication has not come back after so long is not ready.',
  },
  logLevel: {
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
    since: '0.1',
    description: 'What is logged.',
  },
} as const satisfies OptionTable;
