import type { Position } from '@tutti/protocol';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type {
  Broker,
  BrokerEvents,
  HistoryPage,
  HistoryQuery,
  PublicationDraft,
  PublishOptions,
  PublishOutcome,
} from '../broker.ts';
import { SeldomWarning } from '../seldom-warning.ts';
import { AppendGate } from './append-gate.ts';
import { ChannelWriter, type PublishTask, type Task, type WriterHost } from './channel-writer.ts';
import { Elections } from './elections.ts';
import { Expiry } from './expiry.ts';
import { GrantedStreams } from './granted-streams.ts';
import { LiveFeed } from './live-feed.ts';
import { LogReader, type Place } from './log-reader.ts';
import type { NatsLink } from './nats-link.ts';
import { RecordSender } from './record-sender.ts';
import { publicationOverheadBytes, toRecordPublication } from './record.ts';
import { setUpStreams, type GrantedStream, type StreamNeed } from './stream-set-up.ts';
import { TopsReader } from './tops-reader.ts';
import { keyHash, namesOf, type Names } from './subjects.ts';

export interface NatsBrokerOptions {
  /** Started and closed by the broker. */
  readonly link: NatsLink;
  readonly clock: Clock;
  readonly random: Random;
  /** Namespaces that keep a log. */
  readonly namespaces: readonly StreamNeed[];
  /** The namespace of a channel; must answer the same as long as the process lives. */
  readonly namespaceOf: (channel: string) => string;
  /** What everything in NATS is called with first: two installations share a server by different ones. */
  readonly prefix?: string;
  readonly replicas?: number;
  readonly allowWeaker?: boolean;
  readonly idempotencyWindowMs?: number;
  /** How long the top offset and the epoch of a channel outlive its publications. */
  readonly historyMetaTtlMs?: number;
  /** After so long a publish fails, its outcome unknown. */
  readonly publishTimeoutMs?: number;
  readonly pendingBytesMax?: number;
  readonly log?: Log;
}

const dayMs = 24 * 3_600_000;
const publishTimeoutMsDefault = 5_000;
const pendingBytesMaxDefault = 64 * 1024 * 1024;
const attemptMs = 2_000;
/** What a waiting task costs beside its payload. */
const taskOverheadBytes = 512;
/** Channels whose end of the log is remembered between publishes. */
const writersMax = 20_000;
const appendsAtOnceMax = 512;
const readsAtOnceMax = 10_000;
const expiriesMax = 100_000;

type State = 'new' | 'open' | 'closing' | 'closed';

/**
 * Channels in NATS: the log in JetStream, a stream for each namespace; live delivery by what the streams say
 * again after storing; publications that are kept nowhere on core NATS (docs/decisions/0012).
 *
 * Where NATS is not there at start, the node starts all the same and this goes on trying; calls fail with a
 * retryable `Fault` meanwhile. A configuration that breaks a promise is refused at start, where NATS can be
 * asked; later it is logged, and calls go on failing, because a node must not fall into a crash loop.
 */
export class NatsBroker implements Broker {
  readonly #options: NatsBrokerOptions;
  readonly #names: Names;
  readonly #reader: LogReader;
  readonly #topsReader: TopsReader;
  readonly #feed: LiveFeed;
  readonly #expiry: Expiry;
  readonly #sender: RecordSender;
  readonly #streams: GrantedStreams;
  readonly #elections: Elections;
  readonly #writers = new Map<string, ChannelWriter>();
  readonly #strangers: SeldomWarning;
  readonly #idPrefix: string;
  #ids = 0;
  #state: State = 'new';
  #events: BrokerEvents | undefined;
  #pendingBytes = 0;
  #reads = 0;
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(options: NatsBrokerOptions) {
    const { link, clock, log, random } = options;
    this.#options = options;
    this.#names = namesOf(options.prefix ?? 'tutti');
    this.#idPrefix = random.id();
    this.#strangers = new SeldomWarning(clock, log);
    const elections = new Elections();
    this.#elections = elections;
    this.#reader = new LogReader({ link, elections, clock, timeoutMs: attemptMs });
    this.#topsReader = new TopsReader({ link, elections, reader: this.#reader, clock, timeoutMs: attemptMs });
    const gate = new AppendGate(appendsAtOnceMax);
    this.#sender = new RecordSender({
      link,
      elections,
      attemptMs,
      enter: () => gate.enter(),
      leave: () => gate.leave(),
    });
    this.#feed = new LiveFeed({
      link,
      subjectOf: (channel) => this.#names.live(options.namespaceOf(channel), channel),
      onRecord: (channel, stored) => this.#writers.get(channel)?.heard(stored),
      onStranger: (channel, error) =>
        this.#strangers.due({ channel, error }, 'something in NATS is no publication of Tutti'),
    });
    this.#streams = new GrantedStreams({
      ...options,
      setUp: (isFirst) => this.#setUp(isFirst),
      returned: () => {
        if (this.#state === 'open') this.#events?.interrupted?.();
      },
    });
    this.#expiry = new Expiry(clock, expiriesMax, (channel) => {
      // What is not swept is only kept for longer.
      if (this.#state === 'open' && this.#streams.isKnown) this.#remove(channel, true).catch(() => undefined);
    });
  }

  async start(events: BrokerEvents): Promise<void> {
    if (this.#state !== 'new') throw fault('the broker was started before', false);
    this.#state = 'open';
    this.#events = events;
    this.#feed.start(events);
    const { link } = this.#options;
    await link.start();
    if (link.isUp) {
      await this.#streams.first().catch(async (error: unknown) => {
        await this.close();
        throw error;
      });
    }
    let isFirst = link.isUp;
    link.onUp(() => {
      if (!isFirst) void this.#streams.again();
      isFirst = false;
    });
    this.#watchLeaders();
  }

  async subscribe(channel: string): Promise<void> {
    this.#mustBeOpen();
    await this.#feed.subscribe(channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#mustBeOpen();
    this.#feed.unsubscribe(channel);
  }

  async publish(channel: string, draft: PublicationDraft, options: PublishOptions): Promise<PublishOutcome> {
    this.#mustBeOpen();
    const { history, idempotencyKey, expected } = options;
    const publication = toRecordPublication(draft, this.#options.clock.now());
    const bytes = draft.data.byteLength + (publication.envelope?.length ?? 0) + publicationOverheadBytes;
    if (history === undefined) {
      if (expected !== undefined) throw fault('an expected position needs a channel with history', false);
      if (!this.#options.link.isUp) throw fault('NATS is not connected: the publication was not delivered', true);
      const { keyStream: stream } = this.#names;
      const key =
        idempotencyKey === undefined ? {} : { keyPlace: { stream, subject: this.#names.key(channel, idempotencyKey) } };
      return this.#add(channel, bytes, (pending) => ({ kind: 'pass', publication, ...key, ...pending }));
    }
    this.#place(channel);
    const task: Partial<PublishTask> = {
      ...(idempotencyKey === undefined ? {} : { keyId: keyHash(channel, idempotencyKey) }),
      ...(expected === undefined ? {} : { expected }),
    };
    const outcome = await this.#add(channel, bytes, (pending) => ({
      ...{ kind: 'publish', publication, retention: history, ...task, ...pending },
    }));
    if (!outcome.duplicate) this.#expiry.appended(channel, history.ttlMs);
    return outcome;
  }

  async history(channel: string, query: HistoryQuery): Promise<HistoryPage> {
    this.#mustBeOpen();
    if (this.#reads >= readsAtOnceMax) throw fault('the log is overloaded with reads', true);
    this.#reads++;
    try {
      return await this.#reader.page(this.#place(channel), query);
    } finally {
      this.#reads--;
    }
  }

  async tops(channels: readonly string[]): Promise<ReadonlyMap<string, Position>> {
    this.#mustBeOpen();
    const streams = new Map<string, Map<string, Place>>();
    for (const channel of channels) {
      const namespace = this.#options.namespaceOf(channel);
      const places = streams.get(namespace) ?? new Map<string, Place>();
      streams.set(namespace, places.set(channel, this.#place(channel)));
    }
    const reading = [...streams].map(([namespace, places]) =>
      this.#topsReader.read(places, this.#names.logs(namespace)),
    );
    const read = await Promise.allSettled(reading);
    const failed = read.find(({ status }) => status === 'rejected');
    const tops = read.flatMap((each) => (each.status === 'fulfilled' ? [...each.value] : []));
    if (tops.length === 0 && failed?.status === 'rejected') throw failed.reason;
    return new Map(tops);
  }

  async removeHistory(channel: string): Promise<void> {
    this.#mustBeOpen();
    await this.#remove(channel, false);
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closing';
    this.#streams.close();
    this.#expiry.close();
    this.#drained ??= Promise.withResolvers();
    if (this.#pendingBytes === 0) this.#drained.resolve();
    await this.#drained.promise;
    this.#state = 'closed';
    this.#feed.close();
    this.#writers.clear();
    await this.#options.link.close();
  }

  #remove(channel: string, expiredOnly: boolean): Promise<PublishOutcome> {
    this.#place(channel);
    return this.#add(channel, 0, (pending) => ({ kind: 'remove', expiredOnly, ...pending }));
  }

  #add(
    channel: string,
    payloadBytes: number,
    task: (pending: Pick<Task, 'bytes' | 'deadlineMs' | 'resolve' | 'reject'>) => Task,
  ): Promise<PublishOutcome> {
    const {
      clock,
      publishTimeoutMs = publishTimeoutMsDefault,
      pendingBytesMax = pendingBytesMaxDefault,
    } = this.#options;
    const bytes = payloadBytes + taskOverheadBytes + channel.length;
    if (this.#pendingBytes + bytes > pendingBytesMax) throw fault('the log is overloaded: NATS does not keep up', true);
    this.#pendingBytes += bytes;
    const { promise, resolve, reject } = Promise.withResolvers<PublishOutcome>();
    this.#writer(channel).add(task({ bytes, deadlineMs: clock.monotonic() + publishTimeoutMs, resolve, reject }));
    return promise;
  }

  /** In the order of their last use; the longest unused are let go of. */
  #writer(channel: string): ChannelWriter {
    const writer = this.#writers.get(channel) ?? new ChannelWriter(this.#hostOf(channel));
    this.#writers.delete(channel);
    this.#writers.set(channel, writer);
    if (this.#writers.size > writersMax) {
      for (const [other, { isIdle }] of this.#writers) {
        if (isIdle) this.#writers.delete(other);
        break;
      }
    }
    return writer;
  }

  #hostOf(channel: string): WriterHost {
    const { link, clock, namespaceOf } = this.#options;
    return {
      ...{ link, clock, reader: this.#reader, sender: this.#sender },
      place: () => this.#place(channel),
      liveSubject: this.#names.live(namespaceOf(channel), channel),
      give: (record) => this.#feed.give(channel, record),
      newId: () => `${this.#idPrefix}${(this.#ids++).toString(36)}`,
      settled: ({ bytes }) => {
        this.#pendingBytes -= bytes;
        if (this.#pendingBytes === 0) this.#drained?.resolve();
      },
    };
  }

  #place(channel: string): Place {
    const { namespaceOf, namespaces } = this.#options;
    const namespace = namespaceOf(channel);
    const granted = this.#streams.of(namespace);
    if (granted !== undefined) {
      const { name: stream, replicas, epoch } = granted;
      return { stream, replicas, subject: this.#names.log(namespace, channel), epoch: `${epoch}.${this.#era()}` };
    }
    if (this.#streams.isKnown || !namespaces.some((need) => need.namespace === namespace)) {
      throw fault(`channel ${channel} keeps no history`, false);
    }
    throw fault('NATS has not been reached yet', true);
  }

  /**
   * A channel's position is forgotten some time after its last publication. It began in an earlier era then,
   * so its next life has another epoch (DEL-3); a channel that is still empty needs no state for that.
   */
  #era(): number {
    return Math.floor(this.#options.clock.now() / (this.#metaTtlMs / 2));
  }

  get #metaTtlMs(): number {
    return this.#options.historyMetaTtlMs ?? 30 * dayMs;
  }

  #setUp(isFirst: boolean): Promise<ReadonlyMap<string, GrantedStream>> {
    const { link, namespaces, replicas = 0, allowWeaker = false, idempotencyWindowMs = dayMs, log } = this.#options;
    return setUpStreams(link, this.#names, {
      ...{ needs: namespaces, replicas, allowWeaker, idempotencyWindowMs, metaTtlMs: this.#metaTtlMs },
      newEpoch: () => this.#options.random.id(),
      ...(log === undefined || !isFirst ? {} : { log }),
    });
  }

  /** A leader that dies between storing and saying so takes live publications with it (DEL-7). */
  #watchLeaders(): void {
    this.#options.link.subscribe('$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.*', ({ subject }) => {
      const stream = subject.slice(subject.lastIndexOf('.') + 1);
      this.#elections.elected(stream);
      if (this.#streams.includes(stream) && this.#state === 'open') this.#events?.interrupted?.();
    });
  }

  #mustBeOpen(): void {
    if (this.#state === 'new') throw fault('the broker was not started', false);
    if (this.#state !== 'open') throw fault('the broker is closed', false);
  }
}

function fault(message: string, retryable: boolean): Fault {
  return new Fault('broker', message, { retryable });
}
