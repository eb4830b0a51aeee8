import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Rejection, rejections } from '@tutti/protocol';
import { validateJson } from '@tutti/protocol/json';
import { apiPrefix, ApiRoute, guardedRoute, judgeKeys, openApiDocument } from './api/index.ts';
import { apiTarget } from './api-target.ts';
import type { Authenticator } from './auth/authenticator.ts';
import { InsecureAuthenticator } from './auth/insecure-authenticator.ts';
import { JwtAuthenticator } from './auth/jwt-authenticator.ts';
import { OperatorAuthenticator } from './auth/operator-authenticator.ts';
import { NamespaceAuthorizer } from './auth/namespace-authorizer.ts';
import type { Broker } from './broker/broker.ts';
import { Cluster } from './cluster/cluster.ts';
import type { ControlBus } from './cluster/control-bus.ts';
import { SolePeers } from './cluster/sole-peers.ts';
import { isLoopback } from './config/contradictions.ts';
import { Namespaces } from './config/namespaces.ts';
import { isTenantName } from './config/tenant.ts';
import type { Settings } from './config/options.ts';
import type { Clock } from './core/clock.ts';
import { ClusterDirectory } from './core/cluster-directory.ts';
import { Admission } from './core/admission.ts';
import type { DrainProgress, DrainReport } from './core/drain.ts';
import type { Limits } from './core/limits.ts';
import { Node } from './core/node.ts';
import type { Random } from './core/random.ts';
import { Canaries } from './core/canary.ts';
import { Readiness } from './core/readiness.ts';
import { RpcMethods } from './core/rpc.ts';
import type { HttpRoute } from './http/dispatcher.ts';
import { HttpServer } from './http/http-server.ts';
import { jsonRoute, metricsRoute, readyRoute } from './http/operator-routes.ts';
import { takingRoute } from './http/taking-route.ts';
import { MemoryPresence } from './presence/memory.ts';
import { ReplicatedPresence } from './presence/replicated.ts';
import { LoopMonitor } from './runtime/loop-monitor.ts';
import { MemoryMonitor } from './runtime/memory-monitor.ts';
import { SystemClock } from './runtime/system-clock.ts';
import { SystemRandom } from './runtime/system-random.ts';
import type { ServerOptions, TuttiServer } from './server.ts';
import { Counters } from './telemetry/counters.ts';
import { PinoLog } from './telemetry/pino-log.ts';
import { PrometheusTelemetry } from './telemetry/prometheus.ts';
import { StatsPublisher } from './telemetry/stats-publisher.ts';
import type { Log } from './telemetry/telemetry.ts';
import { Places } from './transport/places.ts';
import { httpStream, longPoll, sse, uniSse } from './transport/stream/stream-kinds.ts';
import { StreamHub, StreamTransport } from './transport/stream/stream-transport.ts';
import { WebSocketTransport } from './transport/websocket/websocket-transport.ts';
import { version } from './version.ts';
import { revocationOptions } from './wiring/revocation-options.ts';
import { BucketAddressPace } from './wiring/address-pace.ts';
import { BucketApiPace } from './wiring/api-pace.ts';
import { applicationFace } from './wiring/application-face.ts';
import { canariesOf } from './wiring/canaries.ts';
import { engineOf } from './wiring/engine-of.ts';
import { wireHooks, type WiredHooks } from './wiring/hooks.ts';
import { wireLastSeen, type WiredLastSeen } from './wiring/last-seen.ts';
import { listenerOf, socketsBesides, urlsOf, type Listener } from './wiring/listener-of.ts';
import { nodeGauges } from './wiring/node-gauges.ts';
import { nodeNameOf } from './wiring/node-name.ts';
import { settingsOf } from './wiring/settings-of.ts';
import { webhooksOf, type WiredWebhooks } from './wiring/webhooks.ts';

const dashboardDist = fileURLToPath(new URL('../../dashboard/dist', import.meta.url));
const sampleChannels = 10;

/** Everything of one node, made and not started. */
interface Parts {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Log;
  readonly telemetry: PrometheusTelemetry;
  readonly loop: LoopMonitor;
  readonly broker: Broker;
  readonly peers: Cluster | SolePeers;
  readonly presence: MemoryPresence | ReplicatedPresence;
  readonly node: Node;
  readonly directory: ClusterDirectory;
  readonly hooks: WiredHooks;
  readonly admission: Admission;
  readonly readiness: Readiness;
  readonly transports: readonly (WebSocketTransport | StreamTransport)[];
  readonly http: Listener;
  /** Where the metrics have a port of their own. */
  readonly operators: HttpServer | undefined;
  readonly stats: StatsPublisher;
  readonly webhooks: WiredWebhooks | undefined;
  readonly lastSeen: WiredLastSeen | undefined;
}

/**
 * Starts a node. The only place that picks implementations.
 *
 * Throws `Fault` where an address or the data folder cannot be had, or the node would be insecure for
 * others to reach; then nothing is left running.
 */
export async function createServer(options: ServerOptions): Promise<TuttiServer> {
  const settings = settingsOf(options);
  const parts = await assemble(options, settings);
  // Timers of the clock keep no process alive, and with the engine away nothing else does until it listens.
  const awake = setInterval(() => undefined, 60_000);
  try {
    await start(parts);
  } catch (error) {
    await stopAll(parts);
    throw error;
  } finally {
    clearInterval(awake);
  }
  const { node, directory, presence, log, http, operators } = parts;
  const urls = urlsOf(options, settings, http, operators);
  log.info({ url: urls.url, metricsUrl: urls.metricsUrl, version }, 'the node is listening');
  const { historyPageMax } = settings;
  const face = { node, directory, presence, historyPageMax, lastSeen: parts.lastSeen?.asked };
  let closed: Promise<void> | undefined;
  let drained: Promise<DrainReport> | undefined;
  const close = (): Promise<void> => (closed ??= shutDown(parts));
  return {
    get url() {
      return urls.url;
    },
    get metricsUrl() {
      return urls.metricsUrl;
    },
    ...applicationFace(face, ''),
    within: (tenant) => {
      if (settings.tenantClaim !== '' && isTenantName(tenant)) return applicationFace(face, tenant);
      const message =
        settings.tenantClaim === '' ? 'this node has no tenants: set tenantClaim' : 'no tenant can have that name';
      throw new Rejection(rejections.badRequest, message);
    },
    figures: () => node.figures(sampleChannels),
    drain: (onProgress) => (drained ??= drain(parts, onProgress).finally(close)),
    close,
  };
}

async function assemble(options: ServerOptions, settings: Settings): Promise<Parts> {
  const clock = new SystemClock();
  const random = new SystemRandom();
  const nodeName = nodeNameOf(settings, random);
  const log = options.log ?? new PinoLog({ level: settings.logLevel, base: { node: nodeName } }, clock);
  const telemetry = new PrometheusTelemetry(new Counters(log), { name: nodeName, version });
  const namespaces = new Namespaces(settings);
  const engine = options.engine ?? (await engineOf({ settings, namespaces, nodeName, clock, random, log }));
  const { broker } = engine;
  const peers = peersOf(engine.bus, settings, nodeName, { clock, random, telemetry });
  const canaries = new Canaries(canariesOf(settings, broker, random, engine.bus === undefined ? undefined : nodeName));
  const presence = engine.bus === undefined ? new MemoryPresence() : new ReplicatedPresence({ peers, clock });
  const limits = limitsOf(settings);
  const asked = wireHooks(settings, options.hooks ?? {}, { clock, random, telemetry });
  const webhooks = webhooksOf(settings, { clock, random, telemetry, nodeName }, engine.bus && peers);
  const pace = new BucketAddressPace(settings, clock);
  const lastSeen = wireLastSeen(settings, { shared: engine.lastSeen, peers, clock, telemetry });
  const node = new Node({
    clock,
    random,
    broker,
    presence,
    authenticator: authenticator(settings, clock, random, log),
    authorizer: new NamespaceAuthorizer(settings),
    tokenFailures: pace,
    limits,
    telemetry,
    revocations: revocationOptions(settings, clock, engine.revocations),
    rpc: new RpcMethods(options.rpc ?? {}),
    hooks: asked.hooks,
    ...(lastSeen === undefined ? {} : { seen: lastSeen.seen }),
    observers: webhooks === undefined ? asked.observers : [...asked.observers, webhooks.observer],
    node: { name: nodeName, version, personalChannel: personalChannels(settings) },
    namespaces,
    validateJson,
    positionCheckIntervalMs: 10_000,
    mayLoseLive: (namespace) => engine.mayLoseLive(namespace),
    takeCanary: (live) => canaries.receive(live),
  });
  const loop = new LoopMonitor(clock);
  const memory = new MemoryMonitor(clock);
  const load = {
    unauthenticated: () => node.unauthenticated,
    loopLagMs: () => loop.lagMs,
    memoryShare: () => memory.share,
  };
  const admission = new Admission({ ...settings, ...limits }, { clock, random, load });
  const readiness = new Readiness({ ...settings, clock, random, log, checks: canaries.all });
  const measured = { node, readiness, admission, load, peers, hooks: asked, webhooks, seen: lastSeen?.seen };
  telemetry.readGauges(() => nodeGauges(measured));
  const { historyPageMax, tenantClaim } = settings;
  const figures = { nodeName, version, historyPageMax, tenantClaim };
  const directory = new ClusterDirectory(node.directory, { peers, telemetry });
  const faced = { node, directory, peers, namespaces, presence, telemetry, clock, load, seen: lastSeen?.asked };
  const target = apiTarget({ ...faced, ...figures });
  const apiPace = new BucketApiPace(settings, clock);
  const api = new ApiRoute(settings, target, telemetry, apiPace);
  const { counters } = telemetry;
  return {
    ...{ settings, clock, log, telemetry, loop, broker, peers, presence, node, directory, hooks: asked, webhooks },
    ...{ admission, readiness, lastSeen },
    ...faces(
      options,
      settings,
      { node, nodeName, peers, telemetry, admission, pace, apiPace, readiness, clock, random, log },
      api,
    ),
    stats: new StatsPublisher({ clock, counters, node, nodeName, version, log, sampleChannels }),
  };
}

/** What listens. */
function faces(
  options: ServerOptions,
  settings: Settings,
  parts: Pick<Parts, 'node' | 'telemetry' | 'admission' | 'readiness' | 'clock' | 'log' | 'peers'> & {
    readonly nodeName: string;
    readonly random: Random;
    readonly pace: BucketAddressPace;
    readonly apiPace: BucketApiPace;
  },
  api: HttpRoute,
): Pick<Parts, 'transports' | 'http' | 'operators'> {
  const { node, nodeName, telemetry, readiness } = parts;
  const hookHeaders = settings.hookHeaders.map((name) => name.toLowerCase());
  const transportOptions = { ...settings, hookHeaders, nodeName, loopbackOnly: settings.insecure };
  const seams = { ...parts, places: new Places(settings) };
  const websocket = new WebSocketTransport(transportOptions, seams);
  const hub = new StreamHub(transportOptions, seams);
  const streams = [sse, httpStream, uniSse, longPoll(settings.pollWaitMs)].map(
    (kind) => new StreamTransport(kind, hub),
  );
  const transports = [websocket, ...streams];
  const ready = ['/ready', readyRoute(() => readiness.report())] as const;
  const metrics = [
    '/metrics',
    metricsRoute({
      contentType: telemetry.contentType,
      page: () => {
        node.sampleLag();
        return telemetry.page();
      },
    }),
  ] as const;
  const apis: readonly [string, HttpRoute][] = [
    [`${apiPrefix}openapi.json`, jsonRoute(openApiDocument(version))],
    [apiPrefix, api],
  ];
  const hasOwnPort = settings.metricsPort !== 0;
  const page = dashboardOf(options);
  const upgrades = new Map([['/connection/websocket', websocket]]);
  const http = listenerOf(
    options,
    settings,
    {
      routes: new Map<string, HttpRoute>([
        ready,
        // Strangers reach the server of an application.
        ...(hasOwnPort || options.server !== undefined ? [] : [forOperators(settings, metrics, parts.apiPace)]),
        ...apis,
        ...streams.map((stream) => [`/connection/${stream.name}`, takingRoute(stream)] as const),
        ['/emulation', takingRoute(hub.emulation)],
      ]),
      upgrades,
      ...(settings.console === 'port' ? page : {}),
    },
    parts,
  );
  if (!hasOwnPort) return { transports, http, operators: undefined };
  const { metricsHost: host, metricsPort: port } = settings;
  const routes = new Map([ready, metrics]);
  // The console speaks to the node by the WebSocket of its own origin.
  const consoleFaces = settings.console === 'metricsPort' ? { upgrades, ...page } : {};
  const operators = new HttpServer({ host, port, routes, socketsMax: socketsBesides, ...consoleFaces }, parts);
  return { transports, http, operators };
}

async function start(parts: Parts): Promise<void> {
  const { settings, node, transports, http, operators, peers, presence, readiness, loop, stats } = parts;
  await node.start();
  await parts.webhooks?.start();
  for (const transport of transports) transport.listen((connection) => node.accept(connection));
  await parts.lastSeen?.seen.start();
  await peers.start();
  // Whoever connects to a node that just started is told who is there as by any other.
  await Promise.all([presence instanceof ReplicatedPresence && presence.settled(), parts.webhooks?.open()]);
  await operators?.listen();
  await http.listen();
  loop.start();
  await readiness.start();
  if (settings.namespaces.has('tutti')) stats.start();
}

/** Readiness off first, so that nobody is sent here any more; then the connections, a few at a time (CON-3). */
function drain(parts: Parts, onProgress?: (progress: DrainProgress) => void): Promise<DrainReport> {
  const { settings, readiness, admission, node, log } = parts;
  readiness.drain();
  admission.drain();
  return node.drain({
    overMs: settings.drainTimeMs,
    onProgress: (progress) => {
      log.info({ ...progress }, 'draining');
      onProgress?.(progress);
    },
  });
}

async function shutDown(parts: Parts): Promise<void> {
  const failures = await stopAll(parts);
  if (failures.length > 0) throw failures[0];
  parts.log.info({}, 'the node has stopped');
}

/**
 * What still gives goes first, what others need goes last. A step that fails does not keep the others from theirs.
 * Also for a node of which only a part has started. Never rejects; returns what failed.
 */
async function stopAll(parts: Parts): Promise<unknown[]> {
  const { stats, loop, hooks, readiness, admission, transports, node, http, operators, presence, peers, broker, log } =
    parts;
  const steps: readonly (() => Promise<void> | void)[] = [
    () => readiness.drain(),
    () => admission.drain(),
    () => stats.stop(),
    ...transports.map((transport) => () => transport.close()),
    () => node.stop(),
    // Their last bytes are on the way: a process that ends now takes them along.
    ...transports.map((transport) => () => transport.empty()),
    () => http.close(),
    () => operators?.close(),
    () => hooks.close(),
    () => loop.stop(),
    () => readiness.stop(),
    () => node.revocations.close(),
    // After the last connection: its end is told, too.
    () => parts.webhooks?.close(),
    () => parts.lastSeen?.seen.close(),
    () => presence.close(),
    () => peers.close(),
    () => broker.close(),
  ];
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      log.error({ error }, 'a step of the shutdown failed');
      failures.push(error);
    }
  }
  return failures;
}

/** The other nodes, where there may be any. */
function peersOf(
  bus: ControlBus | undefined,
  { clusterSecret: secret, nodeLeaseMs: leaseMs }: Settings,
  nodeName: string,
  seams: Pick<Parts, 'clock' | 'telemetry'> & { readonly random: Random },
): Cluster | SolePeers {
  if (bus === undefined) return new SolePeers(nodeName, seams.random.id());
  if (secret === '') seams.telemetry.log.warn({}, 'the nodes do not sign what they tell each other: set clusterSecret');
  return new Cluster({ ...seams, bus, nodeName, secret, leaseMs });
}

function authenticator(settings: Settings, clock: Clock, random: Random, log: Log): Authenticator {
  if (settings.insecure) return new InsecureAuthenticator(settings, { clock, random, log });
  const users = new JwtAuthenticator(settings, clock, log);
  return new OperatorAuthenticator(users, judgeKeys(settings.apiKeys, 'console'), clock);
}

/** Where others than this machine reach the port, its metrics are for those with a key (S28). */
function forOperators(
  { host, apiKeys }: Settings,
  [path, route]: readonly [string, HttpRoute],
  pace: BucketApiPace,
): readonly [string, HttpRoute] {
  return [path, isLoopback(host) ? route : guardedRoute(route, apiKeys, 'metrics', pace)];
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

function dashboardOf({ dashboard = dashboardDist, server }: ServerOptions): { staticRoot?: string } {
  // Not built yet: the HTTP server then says how to build it.
  return dashboard === false || server !== undefined || !existsSync(dashboard) ? {} : { staticRoot: dashboard };
}
