import { jetstreamManager, StorageType, type StreamConfig, type StreamInfo } from '@nats-io/jetstream';
import { Fault } from '../../core/fault.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { NatsLink } from './nats-link.ts';
import { judgeAccount, judgeLimits } from './stream-limits.ts';
import type { Names } from './subjects.ts';

/** What a namespace wants of its stream. */
export interface StreamNeed {
  readonly namespace: string;
  /** Most publications kept of a channel. */
  readonly size: number;
  readonly ttlMs: number;
  /** The namespace promises DEL-5. */
  readonly durable: boolean;
}

export interface StreamSetUpOptions {
  readonly needs: readonly StreamNeed[];
  /** Copies of each stream; 0: three in a cluster, one without. */
  readonly replicas: number;
  /** Take a server that keeps less than the namespaces promise. */
  readonly allowWeaker: boolean;
  readonly idempotencyWindowMs: number;
  /** How long position and epoch of a channel outlive its publications. */
  readonly metaTtlMs: number;
  /** For a stream that is made now. */
  readonly newEpoch: () => string;
  readonly log?: Log;
}

/** A stream as the server really has it. */
export interface GrantedStream {
  readonly name: string;
  readonly replicas: number;
  /** Chosen when the stream was made: another stream of the same name is another log (DEL-3). */
  readonly epoch: string;
}

const epochKey = 'tutti-epoch';
const nanos = 1_000_000;
const requestTimeoutMs = 3_000;
const oldestVersion = [2, 11] as const;
const codes = { notFound: 10059, inUse: 10058 } as const;

/**
 * Makes or adjusts the streams, and reads back what the server granted: old servers ignore options they do not know
 * without a word. Any number of nodes may do it at once. Throws a `Fault` that is not retryable where a promise would be
 * broken.
 */
export async function setUpStreams(
  link: NatsLink,
  names: Names,
  options: StreamSetUpOptions,
): Promise<Map<string, GrantedStream>> {
  const { info } = link.connection;
  mustBeNewEnough(info?.version ?? '');
  const { isCluster, replicas } = copiesOf(link, options.replicas);
  const jsm = await link.guard(jetstreamManager(link.connection, { checkAPI: false, timeout: requestTimeoutMs }));
  const granted = new Map<string, GrantedStream>();
  for (const need of options.needs) {
    const { config } = await ensure(link, jsm, channelStream(names, need, replicas, options), options.newEpoch);
    mustBeSafe(need, config, isCluster, options);
    mustKeep(`namespace ${need.namespace}`, config, need.durable, info?.max_payload ?? Infinity, options);
    granted.set(need.namespace, {
      name: config.name,
      replicas: config.num_replicas,
      epoch: config.metadata?.[epochKey] ?? '',
    });
  }
  const keys = await ensure(link, jsm, keyStream(names, replicas, options), options.newEpoch);
  // Its messages are empty.
  mustKeep('idempotency keys of what is kept nowhere', keys.config, false, 0, options);
  await sayAccount(link, jsm, options);
  sayPromise(options, replicas, info?.version ?? '', isCluster);
  return granted;
}

/** One more stream beside those of the channels, with as many copies as they have. Throws `Fault`. */
export async function ensureStream(
  link: NatsLink,
  wanted: Partial<StreamConfig> & Pick<StreamConfig, 'name'>,
  { replicas, newEpoch }: Pick<StreamSetUpOptions, 'replicas' | 'newEpoch'>,
): Promise<void> {
  mustBeNewEnough(link.connection.info?.version ?? '');
  const jsm = await link.guard(jetstreamManager(link.connection, { checkAPI: false, timeout: requestTimeoutMs }));
  const full = { storage: StorageType.File, ...wanted, num_replicas: copiesOf(link, replicas).replicas };
  await ensure(link, jsm, full, newEpoch);
}

/** `replicas` as set; 0: three in a cluster, one without. */
function copiesOf(link: NatsLink, replicas: number): { isCluster: boolean; replicas: number } {
  const { cluster = '' } = link.connection.info ?? {};
  const isCluster = cluster !== '';
  return { isCluster, replicas: replicas > 0 ? replicas : isCluster ? 3 : 1 };
}

type Manager = Awaited<ReturnType<typeof jetstreamManager>>;
type Wanted = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'num_replicas'>;

function channelStream(
  names: Names,
  { namespace, size, ttlMs }: StreamNeed,
  replicas: number,
  { idempotencyWindowMs, metaTtlMs }: StreamSetUpOptions,
): Wanted {
  return {
    name: names.stream(namespace),
    subjects: [names.logs(namespace)],
    storage: StorageType.File,
    num_replicas: replicas,
    max_msgs_per_subject: size,
    // Longer than what is read: the last record of a channel holds its position.
    max_age: (ttlMs + metaTtlMs) * nanos,
    duplicate_window: idempotencyWindowMs * nanos,
    allow_direct: true,
    allow_rollup_hdrs: true,
    republish: { src: names.logs(namespace), dest: names.lives(namespace) },
  };
}

/** A message for each idempotency key of a publication that is kept nowhere: the first to put it there publishes. */
function keyStream(names: Names, replicas: number, { idempotencyWindowMs }: StreamSetUpOptions): Wanted {
  return {
    name: names.keyStream,
    subjects: [names.keys],
    storage: StorageType.File,
    num_replicas: replicas,
    max_msgs_per_subject: 1,
    max_age: idempotencyWindowMs * nanos,
    // Its subjects are what is unique.
    duplicate_window: Math.min(idempotencyWindowMs, 2_000) * nanos,
  };
}

/** Made, or adjusted, or right already; as the server says it is. */
async function ensure(link: NatsLink, jsm: Manager, wanted: Wanted, newEpoch: () => string): Promise<StreamInfo> {
  const info = await makeOrAdjust(link, jsm, wanted, newEpoch);
  mustHold(info.config, wanted);
  return info;
}

async function makeOrAdjust(link: NatsLink, jsm: Manager, wanted: Wanted, newEpoch: () => string): Promise<StreamInfo> {
  const found = await infoOf(link, jsm, wanted.name);
  if (found === undefined) {
    try {
      return await link.guard(jsm.streams.add({ ...wanted, metadata: { [epochKey]: newEpoch() } }));
    } catch (error) {
      // Another node made it a moment ago, with an epoch of its own.
      if (codeOf(error) !== codes.inUse) throw faultOf(error, `stream ${wanted.name} cannot be made`);
      return link.guard(jsm.streams.info(wanted.name));
    }
  }
  const hasEpoch = (found.config.metadata?.[epochKey] ?? '') !== '';
  if (differences(found.config, wanted).length === 0 && hasEpoch) return found;
  const metadata = hasEpoch ? found.config.metadata : { ...found.config.metadata, [epochKey]: newEpoch() };
  try {
    // What an operator set besides (placement, a bound in bytes, compression) stays.
    const update = { ...found.config, ...wanted, ...(metadata === undefined ? {} : { metadata }) };
    return await link.guard(jsm.streams.update(wanted.name, update));
  } catch (error) {
    throw faultOf(error, `stream ${wanted.name} cannot be adjusted`);
  }
}

async function infoOf(link: NatsLink, jsm: Manager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await link.guard(jsm.streams.info(name));
  } catch (error) {
    if (codeOf(error) === codes.notFound) return undefined;
    throw faultOf(error, 'JetStream does not answer');
  }
}

/** Names of options that the server has otherwise. */
function differences(granted: StreamConfig, wanted: Wanted): string[] {
  const has = granted as unknown as Record<string, unknown>;
  return Object.entries(wanted)
    .filter(([name, value]) => {
      if (name === 'republish') return !isSameRepublish(granted.republish, wanted.republish);
      return JSON.stringify(has[name]) !== JSON.stringify(value);
    })
    .map(([name]) => name);
}

function isSameRepublish(a: StreamConfig['republish'], b: StreamConfig['republish']): boolean {
  return a?.src === b?.src && a?.dest === b?.dest && a?.headers_only !== true;
}

function mustHold(granted: StreamConfig, wanted: Wanted): void {
  const missing = differences(granted, wanted);
  if (missing.length === 0 && (granted.metadata?.[epochKey] ?? '') !== '') return;
  const what = missing.length === 0 ? 'metadata' : missing.join(', ');
  throw refusal(`the NATS server did not grant ${what} of stream ${wanted.name}: is it older than it says?`);
}

/** A copy on one server of several is gone with that server, and the others know nothing of it. */
function mustBeSafe(
  { namespace, durable }: StreamNeed,
  { num_replicas: replicas }: StreamConfig,
  isCluster: boolean,
  { allowWeaker }: StreamSetUpOptions,
): void {
  if (!durable || !isCluster || replicas >= 3 || allowWeaker) return;
  throw refusal(
    `namespace ${namespace} is durable, but its stream has ${replicas} of the 3 copies that outlive a server of this cluster: set engineReplicas to 3, or allowWeakEngine to true to take the risk`,
  );
}

/** Limits that somebody set by hand. Throws a lasting `Fault` where they break what is promised, unless that is allowed. */
function mustKeep(
  whose: string,
  config: StreamConfig,
  isDurable: boolean,
  payloadMax: number,
  { allowWeaker, log }: StreamSetUpOptions,
): void {
  const { broken, tight } = judgeLimits(config, isDurable, payloadMax);
  const stream = `stream ${config.name} (${whose})`;
  if (broken.length > 0 && !allowWeaker) {
    throw refusal(`${stream} ${broken.join('; ')}; or set allowWeakEngine to true to take the risk`);
  }
  for (const each of [...broken, ...tight]) log?.warn({ seam: 'broker', stream: config.name }, `${stream} ${each}`);
}

/** Said, not refused: how much will be published, nobody knows. */
async function sayAccount(link: NatsLink, jsm: Manager, { log }: StreamSetUpOptions): Promise<void> {
  if (log === undefined) return;
  try {
    const { storage, limits } = await link.guard(jsm.getAccountInfo());
    const warning = judgeAccount(storage, limits.max_storage);
    if (warning !== undefined) log.warn({ seam: 'broker' }, warning);
  } catch {
    // A user may do without the right to ask.
  }
}

function sayPromise(
  { needs, allowWeaker, log }: StreamSetUpOptions,
  replicas: number,
  version: string,
  isCluster: boolean,
): void {
  const fields = { seam: 'broker', engine: 'nats', version, isCluster, replicas, streams: needs.length };
  const copies =
    replicas > 1 ? `${replicas} copies: survives the loss of ${Math.floor((replicas - 1) / 2)} of them` : 'one copy';
  log?.info(fields, `NATS keeps ${copies}, and the kill of every process`);
  if (!needs.some(({ durable }) => durable)) return;
  // No account but the system's can ask for sync_interval, so this is said to everybody (DEL-5).
  const scope = replicas > 1 ? 'at once on most of its machines' : 'on its machine';
  log?.warn(
    { ...fields, allowWeaker },
    `a power failure ${scope} may cost what NATS acknowledged since its last sync, two minutes by default: set sync_interval: always in its jetstream block where durable must mean more`,
  );
}

function mustBeNewEnough(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > oldestVersion[0] || (major === oldestVersion[0] && minor >= oldestVersion[1])) return;
  throw refusal(
    `NATS server ${version} is too old: ${oldestVersion.join('.')} or later is needed (batched direct get)`,
  );
}

function codeOf(error: unknown): number {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number'
    ? error.code
    : 0;
}

function faultOf(error: unknown, what: string): Fault {
  if (error instanceof Fault) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new Fault('broker', `${what}: ${reason}`, { retryable: true, cause: error });
}

function refusal(message: string): Fault {
  return new Fault('config', message, { retryable: false });
}
