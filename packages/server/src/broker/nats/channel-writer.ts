import { headers } from '@nats-io/transport-node';
import type { Position } from '@tutti/protocol';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { PositionConflict, type HistoryRetention, type PublishOutcome } from '../broker.ts';
import type { LogReader, Place, StoredRecord } from './log-reader.ts';
import type { NatsLink } from './nats-link.ts';
import { mustFit, Refused, type Ack, type RecordSender } from './record-sender.ts';
import { encodeRecord, topOf, type LogRecord, type RecordPublication } from './record.ts';
import { Unanswered, UnknownOutcome } from './unanswered.ts';

/** What is to be done to one channel, in the order of the calls. */
export type Task = PublishTask | PassTask | RemoveTask;

interface Pending {
  /** Against the bound of what may wait. */
  readonly bytes: number;
  /** By the monotonic clock: then it fails, whatever the reason. */
  readonly deadlineMs: number;
  resolve(outcome: PublishOutcome): void;
  reject(error: unknown): void;
}

export interface PublishTask extends Pending {
  readonly kind: 'publish';
  readonly publication: RecordPublication;
  readonly retention: HistoryRetention;
  /** Unique to channel and key: the stream remembers it. */
  readonly keyId?: string;
  readonly expected?: Position;
}

/** A publication that is kept nowhere. */
export interface PassTask extends Pending {
  readonly kind: 'pass';
  readonly publication: RecordPublication;
  /** Where its idempotency key is claimed. */
  readonly keyPlace?: Pick<Place, 'stream' | 'subject'>;
}

export interface RemoveTask extends Pending {
  readonly kind: 'remove';
  /** Only where all that is kept is past its age. */
  readonly expiredOnly: boolean;
}

export interface WriterHost {
  readonly link: NatsLink;
  readonly reader: LogReader;
  readonly clock: Clock;
  readonly sender: RecordSender;
  readonly place: () => Place;
  readonly liveSubject: string;
  /** To this node's own subscribers. */
  readonly give: (record: LogRecord) => void;
  readonly newId: () => string;
  /** A task is done, well or not. */
  readonly settled: (task: Task) => void;
}

const batchPublicationsMax = 100;
const batchBytesMax = 256 * 1024;
const retryDelayMs = 25;

/** The end of a channel's log, without its payloads: it is remembered for many channels. */
interface LogEnd {
  /** 0: the channel is empty. */
  readonly sequence: number;
  readonly top: Position;
  readonly floor: number;
  readonly ttlMs: number;
  readonly newestMs: number;
  readonly isMarker: boolean;
}

/**
 * Writes one channel for this node, one record at a time; what is published meanwhile goes into the next.
 *
 * A record is appended only behind the one that was last when it was made (expected last subject
 * sequence), so the offsets in it are right wherever it was made, and the order of calls is the order of
 * the log (DEL-4). Another node that was quicker makes the append fail, and it is made again behind that
 * node's. When an answer is lost, the append is repeated behind the same record, or looked for behind it, until
 * it is known whether it is in the log, or the time is up (unanswered.ts).
 */
export class ChannelWriter {
  readonly #host: WriterHost;
  readonly #tasks: Task[] = [];
  /** Undefined: not known. */
  #end: LogEnd | undefined;
  #isRunning = false;

  constructor(host: WriterHost) {
    this.#host = host;
  }

  get isIdle(): boolean {
    return !this.#isRunning && this.#tasks.length === 0;
  }

  /** Another node appended, most likely: saves a conflict. */
  heard(stored: StoredRecord): void {
    if (!this.#isRunning && this.#end !== undefined && stored.sequence > this.#end.sequence) this.#end = endOf(stored);
  }

  add(task: Task): void {
    this.#tasks.push(task);
    if (this.#isRunning) return;
    this.#isRunning = true;
    // After this turn's other calls, so that a burst goes together.
    queueMicrotask(() => void this.#run());
  }

  async #run(): Promise<void> {
    for (;;) {
      const batch = this.#take();
      const first = batch[0];
      if (first === undefined) break;
      try {
        await this.#do(batch, first);
      } catch (error) {
        this.#end = undefined;
        for (const task of batch) task.reject(error);
      } finally {
        for (const task of batch) this.#host.settled(task);
      }
    }
    this.#isRunning = false;
  }

  /** The next task, with those that fit into its record. A key, a condition and a removal go alone. */
  #take(): Task[] {
    const [first] = this.#tasks;
    if (first?.kind !== 'publish' || !isPlain(first)) return this.#tasks.splice(0, 1);
    let count = 0;
    let bytes = 0;
    for (const task of this.#tasks) {
      if (task.kind !== 'publish' || !isPlain(task) || !isSameRetention(task.retention, first.retention)) break;
      bytes += task.bytes;
      if (count === batchPublicationsMax || (count > 0 && bytes > batchBytesMax)) break;
      count++;
    }
    return this.#tasks.splice(0, count);
  }

  async #do(batch: readonly Task[], first: Task): Promise<void> {
    if (first.kind === 'pass') await this.#pass(first);
    else if (first.kind === 'remove') await this.#remove(first);
    else await this.#publish(batch as readonly PublishTask[], first);
  }

  async #pass(task: PassTask): Promise<void> {
    const { link, liveSubject, newId, give } = this.#host;
    if (task.keyPlace !== undefined && !(await this.#claim(task.keyPlace))) {
      task.resolve({ duplicate: true });
      return;
    }
    const publications = [task.publication];
    const record = { id: newId(), epoch: '', previous: 0, floor: 0, ttlMs: 0, publications };
    const bytes = encodeRecord(record);
    mustFit(link, bytes);
    link.connection.publish(liveSubject, bytes);
    give(record);
    task.resolve({ duplicate: false });
  }

  /** True for the first to put a message there. */
  async #claim(place: Pick<Place, 'stream' | 'subject'>): Promise<boolean> {
    const wanted = headers();
    wanted.set('Nats-Expected-Last-Subject-Sequence', '0');
    const answer = await this.#host.sender.send(place, new Uint8Array(0), wanted);
    if (answer instanceof Refused && answer.isWrongSequence) return false;
    if (answer instanceof Refused) throw answer.fault;
    return true;
  }

  async #remove(task: RemoveTask): Promise<void> {
    const { clock, newId } = this.#host;
    await this.#until(task.deadlineMs, async () => {
      const { sequence, top, ttlMs, newestMs, isMarker } = await this.#known();
      if (sequence === 0 || isMarker) return {};
      if (task.expiredOnly && newestMs > clock.now() - ttlMs) return {};
      const { offset: previous, epoch } = top;
      const marker = { id: newId(), epoch, previous, floor: previous + 1, ttlMs, publications: [] };
      // One message takes the place of all others of its subject.
      const rollup = headers();
      rollup.set('Nats-Rollup', 'sub');
      return this.#append(marker, sequence, rollup);
    });
    task.resolve({ duplicate: false });
  }

  async #publish(batch: readonly PublishTask[], first: PublishTask): Promise<void> {
    const { expected, keyId, retention } = first;
    const { newId } = this.#host;
    const id = newId();
    const publications = batch.map(({ publication }) => publication);
    let doubt: Unanswered | undefined;
    await this.#until(Math.max(...batch.map(({ deadlineMs }) => deadlineMs)), async () => {
      const { sequence, top, floor: oldFloor } = await this.#known();
      if (doubt !== undefined && sequence !== doubt.behind) {
        const fate = await doubt.fate(this.#host.reader, this.#host.place());
        // Where there is a key, the stream itself knows.
        if (fate === 'unknown' && keyId === undefined) throw new UnknownOutcome();
        doubt = undefined;
        if (typeof fate === 'object') return this.#found(batch, fate.stored);
      }
      if (expected !== undefined && !isAt(expected, top)) {
        if (keyId === undefined || isAt({ ...expected, epoch: '' }, top)) throw new PositionConflict(top);
        // Had it won before, it would stand right behind the position that it expected.
        const won = await this.#host.reader.holding(this.#host.place(), expected.offset + 1);
        const isOther = won?.keyId !== keyId || (expected.epoch !== '' && expected.epoch !== won.epoch);
        if (won === undefined || isOther) throw new PositionConflict(top);
        first.resolve({ position: { offset: topOf(won), epoch: won.epoch }, duplicate: true });
        return {};
      }
      const size = Math.max(1, Math.floor(retention.size));
      const floor = Math.max(oldFloor, top.offset + publications.length - size + 1);
      const condition = expected === undefined || keyId === undefined ? {} : { keyId };
      const record = {
        id,
        ...condition,
        epoch: top.epoch,
        previous: top.offset,
        floor,
        ttlMs: retention.ttlMs,
        publications,
      };
      const wanted = headers();
      // Each id stays in the memory of NATS for the whole window, so only who asked for it has one.
      if (keyId !== undefined) wanted.set('Nats-Msg-Id', keyId);
      const wasInDoubt = doubt !== undefined;
      const answer = await this.#append(record, sequence, wanted, () => {
        doubt = new Unanswered(id, top.offset, sequence);
      });
      if (answer instanceof Refused) {
        // This attempt is over; an earlier one behind the same record may have been what it lost to.
        if (answer.isWrongSequence && !wasInDoubt) doubt = undefined;
        return answer;
      }
      if (answer.duplicate) return this.#repeated(batch, answer.seq, id);
      this.#settle(batch, record, false);
      // An earlier answer was lost: somebody else's live delivery may have been, too.
      if (wasInDoubt) this.#sayAgain(record);
      return {};
    });
  }

  /** The stream knows the key: by an append of ours whose answer was lost, or by somebody's before. */
  async #repeated(batch: readonly PublishTask[], sequence: number, id: string): Promise<object> {
    const stored = await this.#host.reader.at(this.#host.place(), sequence);
    this.#end = undefined;
    if (stored?.record.id === id) return this.#found(batch, stored.record);
    for (const task of batch) {
      if (stored === undefined) {
        // Trimmed away since: it took effect, but nobody can say any more where.
        task.resolve({ duplicate: true });
      } else {
        const { epoch, previous } = stored.record;
        task.resolve({ position: { offset: previous + 1, epoch }, duplicate: true });
      }
    }
    return {};
  }

  /** Ours is in the log, and we were not told. */
  #found(batch: readonly PublishTask[], stored: LogRecord): object {
    this.#settle(batch, stored, false);
    this.#sayAgain(stored);
    return {};
  }

  /** Delivered here before the promises resolve. */
  #settle(batch: readonly PublishTask[], record: LogRecord, duplicate: boolean): void {
    try {
      this.#host.give(record);
    } finally {
      const { epoch, previous } = record;
      batch.forEach((task, i) => task.resolve({ position: { offset: previous + i + 1, epoch }, duplicate }));
    }
  }

  /** The stream says each record once; when its leader died in between, nobody does (DEL-7). */
  #sayAgain(record: LogRecord): void {
    const { link, liveSubject } = this.#host;
    if (link.isUp) link.connection.publish(liveSubject, encodeRecord(record));
  }

  async #known(): Promise<LogEnd> {
    if (this.#end !== undefined) return this.#end;
    const { reader, place } = this.#host;
    const { epoch } = place();
    const last = await reader.last(place());
    const empty = { sequence: 0, top: { offset: 0, epoch }, floor: 1, ttlMs: 0, newestMs: 0, isMarker: true };
    return (this.#end = last === undefined ? empty : endOf(last));
  }

  async #append(
    record: LogRecord,
    behind: number,
    wanted: ReturnType<typeof headers>,
    onSent?: () => void,
  ): Promise<Ack | Refused> {
    wanted.set('Nats-Expected-Last-Subject-Sequence', String(behind));
    const { sender, place } = this.#host;
    const answer = await sender.send(place(), encodeRecord(record), wanted, onSent);
    if (!(answer instanceof Refused) && !answer.duplicate) this.#end = endOf({ sequence: answer.seq, record });
    return answer;
  }

  /**
   * Tries until it is done or the time is up. Where another node was quicker, the end of the log is read
   * again; where NATS did not answer or has no leader just now, a moment is waited.
   */
  async #until(deadlineMs: number, attempt: () => Promise<object>): Promise<void> {
    for (;;) {
      let failure: Fault;
      try {
        // A position that was remembered may be old: a conflict is one only by the log itself.
        const wasRemembered = this.#end !== undefined;
        const answer = await attempt().catch((error: unknown) => {
          if (!(error instanceof PositionConflict) || !wasRemembered) throw error;
          return Refused.wrongSequence(error.message);
        });
        if (!(answer instanceof Refused)) return;
        this.#end = undefined;
        failure = answer.fault;
        if (!failure.retryable) throw failure;
        if (answer.isWrongSequence && this.#host.clock.monotonic() < deadlineMs) continue;
      } catch (error) {
        this.#end = undefined;
        if (isFinal(error)) throw error;
        failure = faultOf(error);
      }
      if (this.#host.clock.monotonic() + retryDelayMs >= deadlineMs) throw failure;
      await new Promise<void>((resolve) => {
        this.#host.clock.after(retryDelayMs, resolve);
      });
    }
  }
}

function endOf({ sequence, record }: StoredRecord): LogEnd {
  const { epoch, floor, ttlMs, publications } = record;
  const newestMs = publications.at(-1)?.time ?? 0;
  const top = { offset: topOf(record), epoch };
  return { sequence, top, floor, ttlMs, newestMs, isMarker: publications.length === 0 };
}

/** To try again would not change it. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof PositionConflict || error instanceof UnknownOutcome || (error instanceof Fault && !error.retryable)
  );
}

function isPlain({ keyId, expected }: PublishTask): boolean {
  return keyId === undefined && expected === undefined;
}

function isSameRetention(a: HistoryRetention, b: HistoryRetention): boolean {
  return a.size === b.size && a.ttlMs === b.ttlMs;
}

function isAt(expected: Position, top: Position): boolean {
  return top.offset === expected.offset && (expected.epoch === '' || top.epoch === expected.epoch);
}

function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new Fault('broker', `NATS did not answer: ${reason}`, { retryable: true, cause: error });
}
