import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import { changed, entryOf, type AliveAt, type KeptUser } from '../kept-user.ts';
import type { LastSeen, LastSeenBounds, SeenBatch, SeenChange, SeenEntry, UserName } from '../last-seen.ts';
import { decodeAlive, decodeUser, encodeAlive, encodeUser, hashOf } from './seen-message.ts';
import {
  SeenStream,
  type LastSeenNames,
  type LastSeenNats,
  type LastSeenStreamConfig,
  type StoredMessage,
} from './seen-stream.ts';

export interface NatsLastSeenOptions {
  /** Closed by whoever closes the broker. */
  readonly nats: LastSeenNats;
  readonly names: LastSeenNames;
  /** Makes the stream, or adjusts it. Throws `Fault`. */
  readonly ensureStream: (wanted: LastSeenStreamConfig) => Promise<unknown>;
  readonly clock: Clock;
  readonly bounds: LastSeenBounds;
  readonly log?: Log;
}

const writeMsMax = 8_000;
const retryDelayMs = 50;

/**
 * In a stream of JetStream, one message for each user, with as many copies as the channels have. A message is replaced
 * only behind the one that it was made from, so no node undoes what another wrote.
 */
export class NatsLastSeen implements LastSeen {
  readonly #options: NatsLastSeenOptions;
  readonly #stream: SeenStream;

  constructor(options: NatsLastSeenOptions) {
    this.#options = options;
    this.#stream = new SeenStream(options);
  }

  /** Where NATS is not there, the node starts all the same; calls fail with a retryable `Fault` until it is. */
  async start(): Promise<void> {
    const { nats, log } = this.#options;
    await nats.start();
    // Another server may be reached, that was never asked for the stream.
    nats.onUp(() => this.#stream.forget());
    if (!nats.isUp) return;
    await this.#stream.ensure().catch((error: unknown) => {
      if (error instanceof Fault && !error.retryable) throw error;
      log?.warn({ seam: 'last-seen', reason: reasonOf(error) }, 'last seen cannot be kept yet; trying again');
    });
  }

  write(batch: SeenBatch): Promise<void> {
    return this.#reached(async () => {
      const { node, aliveAtMs, changes } = batch;
      const { names, clock } = this.#options;
      await this.#stream.ensure();
      // First: where a node was never heard of, what it says of users means nothing.
      await this.#stream.put(names.node(node), encodeAlive(aliveAtMs));
      const deadlineMs = clock.monotonic() + writeMsMax;
      let found = await this.#stream.newest(changes.map((change) => this.#subjectOf(change)));
      for (let left = changes; left.length > 0;) {
        left = await this.#put(batch, left, found);
        if (left.length === 0) return;
        if (clock.monotonic() + retryDelayMs >= deadlineMs) throw new Error('too many nodes write at once');
        await this.#pause();
        // Another node was quicker, or the copy that answered lags behind: the leader knows.
        found = await this.#newestOf(left);
      }
    });
  }

  read(users: readonly UserName[]): Promise<readonly (SeenEntry | undefined)[]> {
    return this.#reached(async () => {
      const found = await this.#stream.newest(users.map((user) => this.#subjectOf(user)));
      const kept = users.map((user) => this.#decoded(user, found));
      const aliveAt = await this.#aliveAt(kept);
      return kept.map((each) => (each === undefined ? undefined : entryOf(each, aliveAt)));
    });
  }

  forget(user: UserName): Promise<void> {
    return this.#reached(() => this.#stream.remove(this.#subjectOf(user)));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Returns those that stand no more where they were found. */
  async #put(
    { node, aliveAtMs }: SeenBatch,
    changes: readonly SeenChange[],
    found: ReadonlyMap<string, StoredMessage>,
  ): Promise<readonly SeenChange[]> {
    const kept = changes.map((change) => this.#decoded(change, found));
    const aliveAt = await this.#aliveAt(kept);
    const put = changes.map((change, i) => {
      const subject = this.#subjectOf(change);
      const next = encodeUser(change, changed(kept[i], change, { node, aliveAtMs }, aliveAt));
      return this.#stream.put(subject, next, found.get(subject)?.sequence ?? 0);
    });
    const isPut = await Promise.all(put);
    return changes.filter((_, i) => isPut[i] !== true);
  }

  async #newestOf(users: readonly UserName[]): Promise<ReadonlyMap<string, StoredMessage>> {
    const subjects = users.map((user) => this.#subjectOf(user));
    const newest = await Promise.all(subjects.map((subject) => this.#stream.newestOf(subject)));
    const found = new Map<string, StoredMessage>();
    for (const [i, subject] of subjects.entries()) {
      const message = newest[i];
      if (message !== undefined) found.set(subject, message);
    }
    return found;
  }

  /** Of the nodes that these speak of. */
  async #aliveAt(kept: readonly (KeptUser | undefined)[]): Promise<AliveAt> {
    const { names } = this.#options;
    const nodes = [...new Set(kept.flatMap((each) => each?.nodes ?? []))].slice(-nodesAskedMax);
    const found = await this.#stream.newest(nodes.map((node) => names.node(node)));
    return (node) => {
      const message = found.get(names.node(node));
      return message === undefined ? undefined : decodeAlive(message.data);
    };
  }

  #decoded(user: UserName, found: ReadonlyMap<string, StoredMessage>): KeptUser | undefined {
    const message = found.get(this.#subjectOf(user));
    return message === undefined ? undefined : decodeUser(message.data, user);
  }

  #subjectOf(user: UserName): string {
    return this.#options.names.user(hashOf(user));
  }

  async #reached<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      // The stream may be gone: the next call looks.
      this.#stream.forget();
      const isTemporary = !(cause instanceof Fault) || cause.retryable;
      const message = `last seen could not be reached: ${reasonOf(cause)}`;
      throw new Fault('last-seen', message, { retryable: isTemporary, cause });
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(retryDelayMs, resolve);
    });
  }
}

/** As many as one question may have subjects. */
const nodesAskedMax = 1_000;

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
