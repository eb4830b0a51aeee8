import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { validateJson } from '@tutti/protocol/json';
import type { Authenticator } from './auth/authenticator.ts';
import { InsecureAuthenticator } from './auth/insecure-authenticator.ts';
import { JwtAuthenticator } from './auth/jwt-authenticator.ts';
import { NamespaceAuthorizer } from './auth/namespace-authorizer.ts';
import type { Broker, PublicationDraft } from './broker/broker.ts';
import { EmbeddedBroker } from './broker/embedded.ts';
import { MemoryBroker } from './broker/memory.ts';
import { SqliteLogBroker } from './broker/sqlite-log.ts';
import { Namespaces } from './config/namespaces.ts';
import type { Settings } from './config/options.ts';
import type { Clock } from './core/clock.ts';
import { Fault } from './core/fault.ts';
import type { Limits } from './core/limits.ts';
import { Node } from './core/node.ts';
import type { Random } from './core/random.ts';
import { RpcMethods } from './core/rpc.ts';
import { HttpServer } from './http/http-server.ts';
import { MemoryPresence } from './presence/memory.ts';
import { SystemClock } from './runtime/system-clock.ts';
import { SystemRandom } from './runtime/system-random.ts';
import type { ServerOptions, ServerPublishOptions, TuttiServer } from './server.ts';
import { Counters } from './telemetry/counters.ts';
import { PinoLog } from './telemetry/pino-log.ts';
import { StatsPublisher } from './telemetry/stats-publisher.ts';
import type { Log } from './telemetry/telemetry.ts';
import { WebSocketTransport } from './transport/websocket/websocket-transport.ts';
import { version } from './version.ts';

const dashboardDist = fileURLToPath(new URL('../../dashboard/dist', import.meta.url));
const sampleChannels = 10;

/**
 * Starts a node. The only place that picks implementations.
 *
 * Throws `Fault` where the address or the data folder cannot be had; then nothing is left running.
 */
export async function createServer(options: ServerOptions): Promise<TuttiServer> {
  const { settings } = options;
  const clock = new SystemClock();
  const random = new SystemRandom();
  const nodeName = settings.nodeName === '' ? `node-${random.id().slice(0, 8)}` : settings.nodeName;
  const log = options.log ?? new PinoLog({ level: settings.logLevel, base: { node: nodeName } }, clock);
  const counters = new Counters(log);
  const namespaces = new Namespaces(settings);
  const broker = embeddedBroker(settings, namespaces, clock, random, log);
  const presence = new MemoryPresence();
  const node = new Node({
    clock,
    random,
    broker,
    presence,
    authenticator: authenticator(settings, clock, random, log),
    authorizer: new NamespaceAuthorizer(settings),
    limits: limitsOf(settings),
    telemetry: counters,
    rpc: new RpcMethods(options.rpc ?? {}),
    node: { name: nodeName, version, personalChannel: personalChannels(settings) },
    namespaces,
    validateJson,
    // The embedded broker delivers by a call in this process: nothing lies between that could lose.
    positionCheckIntervalMs: 0,
  });
  const websocket = new WebSocketTransport(
    { ...settings, loopbackOnly: settings.insecure },
    { clock, telemetry: counters },
  );
  const http = new HttpServer(
    {
      host: settings.host,
      port: settings.port,
      upgrades: new Map([['/connection/websocket', websocket]]),
      ...dashboardOf(options.dashboard),
    },
    { clock, log },
  );
  const stats = new StatsPublisher({ clock, counters, node, nodeName, version, log, sampleChannels });

  await node.start();
  websocket.listen((connection) => node.accept(connection));
  try {
    await http.listen();
  } catch (error) {
    await broker.close();
    throw error;
  }
  if (namespaces.get('tutti') !== undefined) stats.start();
  const url = `http://${hostInUrl(settings.host)}:${http.port}`;
  log.info({ url, version }, 'the node is listening');

  // What still gives goes first, what others need goes last.
  const shutdown: readonly (() => Promise<void> | void)[] = [
    () => stats.stop(),
    () => websocket.close(),
    () => node.stop(),
    () => http.close(),
    () => presence.close(),
    () => broker.close(),
  ];
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    for (const step of shutdown) await step();
    log.info({}, 'the node has stopped');
  };
  return {
    url,
    publish: (channel, data, extras) => publish(node, channel, data, extras),
    history: (channel, query = {}) => node.history(channel, { limit: settings.historyPageMax, ...query }),
    presence: (channel) => presence.members(channel),
    disconnect: (user, kind) => node.disconnectUser(user, kind),
    unsubscribe: (user, channel, kind) => node.unsubscribeUser(user, channel, kind),
    figures: () => node.figures(sampleChannels),
    close: () => (closed ??= close()),
  };
}

function embeddedBroker(settings: Settings, namespaces: Namespaces, clock: Clock, random: Random, log: Log): Broker {
  if (settings.engine !== 'embedded') {
    throw new Fault('config', `engine "${settings.engine}" is not available: this version has "embedded"`, {
      retryable: false,
    });
  }
  const { idempotencyWindowMs, dataDir } = settings;
  const memory = new MemoryBroker({ clock, random, idempotencyWindowMs });
  const needsLog = [...settings.namespaces.values()].some((namespace) => namespace.durable);
  if (!needsLog) return memory;
  const durable = new SqliteLogBroker({ dataDir, clock, random, idempotencyWindowMs, log });
  return new EmbeddedBroker({ memory, log: durable, isDurable: (channel) => namespaces.resolve(channel).durable });
}

function authenticator(settings: Settings, clock: Clock, random: Random, log: Log): Authenticator {
  if (settings.insecure) return new InsecureAuthenticator(settings, { clock, random, log });
  return new JwtAuthenticator(settings, clock);
}

function limitsOf(settings: Settings): Limits {
  return {
    ...settings,
    unauthenticatedMax: Math.max(16, Math.ceil(settings.connectionsMax * settings.unauthenticatedShareMax)),
  };
}

function personalChannels({ personalNamespace }: Settings): (user: string) => string | undefined {
  return (user) => (personalNamespace === '' || user === '' ? undefined : `${personalNamespace}:${user}`);
}

function dashboardOf(dashboard: string | false = dashboardDist): { staticRoot?: string } {
  // Not built yet: the HTTP server then says how to build it.
  return dashboard === false || !existsSync(dashboard) ? {} : { staticRoot: dashboard };
}

async function publish(
  node: Node,
  channel: string,
  data: unknown,
  { idempotencyKey, expected, ...marks }: ServerPublishOptions = {},
): ReturnType<TuttiServer['publish']> {
  const bytes = data instanceof Uint8Array ? data : Buffer.from(JSON.stringify(data) ?? 'null');
  const draft: PublicationDraft = { data: bytes, ...marks };
  return node.publish(channel, draft, {
    // The application's keys are its own: a user's key never meets them.
    ...(idempotencyKey === undefined ? {} : { idempotencyKey: `\n${idempotencyKey}` }),
    ...(expected === undefined ? {} : { expected }),
  });
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
