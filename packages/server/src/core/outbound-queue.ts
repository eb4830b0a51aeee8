import type { Codec } from '@tutti/protocol';
import type { Overflow } from '../config/namespace.ts';
import type { Connection, OutboundFrame } from '../transport/transport.ts';
import { Batch, joinParts } from './batch.ts';
import { cheapMarks, dearMarks, InFlightWindow } from './in-flight-window.ts';
import { Lane } from './lane.ts';
import { fixedLimits } from './limits.ts';

/** Bytes one lane may send before the next has its turn: what a quiet channel waits behind a flooded one (BP-5). */
const turnBytes = 8 * 1024;
/** What a channel that had nothing waiting may send at once: a line of chat, not a flood in small pieces. */
const freshTurnBytes = 1024;

/** What a queue needs of its session. */
export interface QueueOwner {
  /** Milliseconds the subscription asked to be between updates; 0: none. */
  intervalOf(channel: string): number;
  /** Its lane was given up; it goes on from the log after `offset`; undefined: after all it was ever given. */
  fellBehind(channel: string, offset: number | undefined): void;
  /** The bound is reached, and nothing but ending the connection is left. */
  tooSlow(): void;
  /** Publications that this connection will not be sent. */
  skipped(how: 'conflated' | 'dropped', namespace: string, count: number): void;
}

export interface QueueBounds {
  /** Of everything that waits here (BP-1). */
  readonly outboundBytesMax: number;
  /** Of what is with the peer, unconfirmed (BP-2). */
  readonly inFlightBytesMax: number;
}

type Entry = Batch | OutboundFrame;
const nothing: Entry[] = [];

/**
 * What waits for one connection.
 *
 * As long as all of it fits into the window it is one line, oldest first, of frames shared with
 * other connections. Once something has to stay, the connection lags: answers and control go first,
 * and each channel has a lane, where it may be conflated; lanes take turns by bytes. With the last
 * lane empty it is one line again.
 *
 * Bounds are in bytes, because one large frame hurts as much as a thousand small ones. At the bound
 * the largest lane yields as its namespace says (BP-4).
 */
export class OutboundQueue {
  readonly #connection: Connection;
  readonly #owner: QueueOwner;
  readonly #bounds: QueueBounds;
  readonly #codec: Codec;
  readonly #window: InFlightWindow;
  // Lazy: an idle connection holds no array and no map of its own.
  #line: Entry[] = nothing;
  #control: OutboundFrame[] | undefined;
  #lanes: Map<string, Lane> | undefined;
  /** Of them those that have not had a turn yet: they come first, once. */
  #fresh: Set<Lane> | undefined;
  #isLagging = false;
  #bytes = 0;

  constructor(connection: Connection, owner: QueueOwner, bounds: QueueBounds) {
    this.#connection = connection;
    this.#owner = owner;
    this.#bounds = bounds;
    this.#codec = connection.codec;
    const shape = connection.protocolPings === undefined ? cheapMarks : dearMarks;
    this.#window = new InFlightWindow(bounds.inFlightBytesMax, shape);
  }

  /** Bytes that wait here, without what the transport has. */
  get bytes(): number {
    return this.#bytes;
  }

  get isLagging(): boolean {
    return this.#isLagging;
  }

  /** Answers and control: before anything that waits in a lane. */
  push(frame: OutboundFrame): void {
    this.#bytes += frame.bytes.length;
    if (this.#isLagging) (this.#control ??= []).push(frame);
    else this.#append(frame);
    this.#relieve();
  }

  deliver(batch: Batch): void {
    const lane = this.#lanes?.get(batch.channel) ?? this.#newLaneFor(batch);
    if (lane === undefined) {
      this.#bytes += batch.encoded(this.#codec).bytes;
      this.#append(batch);
    } else {
      this.#addTo(lane, batch);
    }
    this.#relieve();
  }

  /**
   * A mark came back: `roundTripMs` after it left, if that is known, behind `aheadBytes`. `unreadMs`: how
   * much of the time it may have waited for this node to read it.
   */
  confirmed(roundTripMs: number | undefined, aheadBytes: number, nowMs: number, unreadMs = 0): void {
    if (roundTripMs === undefined) this.#window.taken();
    else this.#window.confirmed({ ms: roundTripMs, unreadMs, aheadBytes }, nowMs);
    this.#markIfDue();
  }

  /** Asks what the peer has taken, whether or not it is time for that. */
  mark(): void {
    this.#window.marked();
    this.#connection.mark();
  }

  /** Hands over as much as the window allows. Returns the bytes. */
  flush(nowMs: number): number {
    let total = 0;
    // Goes on while the transport takes everything at once: it confirms only what it had to keep.
    for (let room = this.#room(); room > 0; room = this.#room()) {
      const frames = this.#takeLine(room) ?? this.#takeLanes(Math.min(room, this.#window.chunkBytes), nowMs);
      if (frames.length === 0) break;
      const bytes = this.#send(frames);
      total += bytes;
    }
    // The window is full before the line's turn came: what waits is conflated from now on, not when it opens.
    if (this.#line.length > 0) this.#lag();
    if (this.#isLagging) this.#window.full();
    return total;
  }

  /** Milliseconds until a lane with an interval may send; Infinity where none waits for that, but for the peer. */
  dueIn(nowMs: number): number {
    let next = Infinity;
    if (this.#lanes === undefined || this.#room() <= 0) return next;
    for (const lane of this.#lanes.values()) if (lane.intervalMs > 0) next = Math.min(next, lane.dueIn(nowMs));
    return next;
  }

  /** What waits goes on as the new interval says. */
  intervalChanged(channel: string): void {
    const old = this.#lanes?.get(channel);
    if (old === undefined) return;
    old.intervalMs = this.#owner.intervalOf(channel);
    this.#settle();
  }

  /** The subscription ended: what waits of its channel is not sent any more. */
  drop(channel: string): void {
    if (this.#line.some((entry) => entry instanceof Batch && entry.channel === channel)) {
      this.#line = this.#line.filter((entry) => !(entry instanceof Batch && entry.channel === channel));
    }
    this.#lanes?.delete(channel);
    this.#recount();
    this.#settle();
  }

  /** Nothing of the channel waits in a lane. */
  isClear(channel: string): boolean {
    return this.#lanes?.get(channel)?.isEmpty ?? true;
  }

  clear(): void {
    this.#line = nothing;
    this.#control = undefined;
    this.#lanes = undefined;
    this.#fresh = undefined;
    this.#isLagging = false;
    this.#bytes = 0;
  }

  #room(): number {
    return this.#window.bytes - this.#connection.inFlight;
  }

  #append(entry: Entry): void {
    if (this.#line === nothing) this.#line = [];
    this.#line.push(entry);
  }

  #send(frames: readonly OutboundFrame[]): number {
    let bytes = 0;
    for (const frame of frames) bytes += frame.bytes.length;
    this.#connection.send(frames);
    this.#window.sent(bytes);
    this.#markIfDue();
    return bytes;
  }

  #markIfDue(): void {
    if (this.#window.isMarkDue) this.mark();
  }

  /** The whole line, where it fits; undefined where there is none, or it has just become lanes. */
  #takeLine(room: number): readonly OutboundFrame[] | undefined {
    const line = this.#line;
    if (line.length === 0) return undefined;
    const laneBytes = this.#laneBytes();
    const bytes = this.#bytes - laneBytes;
    const [only] = line;
    // A single frame is never split, however large; several need not leave together.
    if (bytes > room && (line.length > 1 || (only instanceof Batch && only.pushes.length > 1))) {
      this.#lag();
      return undefined;
    }
    this.#line = nothing;
    this.#bytes -= bytes;
    if (line.length === 1 && only !== undefined) return this.#framesOf(only);
    return line.flatMap((entry) => this.#framesOf(entry));
  }

  #framesOf(entry: Entry): readonly OutboundFrame[] {
    return entry instanceof Batch ? entry.encoded(this.#codec).frames : [entry];
  }

  /** Not everything fits any more: the line becomes control and lanes. */
  #lag(): void {
    const line = this.#line;
    this.#line = nothing;
    this.#isLagging = true;
    // Once a lane was given up the log goes on from there: what stands behind in the line comes from it, too.
    const givenUp = new Set<string>();
    for (const entry of line) {
      if (entry instanceof Batch) {
        this.#bytes -= entry.encoded(this.#codec).bytes;
        if (givenUp.has(entry.channel)) continue;
        const isKept = this.#addTo(this.#lanes?.get(entry.channel) ?? this.#newLane(entry), entry);
        if (!isKept) givenUp.add(entry.channel);
      } else {
        (this.#control ??= []).push(entry);
      }
    }
  }

  /** Lagging, every channel has a lane; otherwise only one whose subscription asked for an interval. */
  #newLaneFor(batch: Batch): Lane | undefined {
    if (!this.#isLagging && this.#owner.intervalOf(batch.channel) === 0) return undefined;
    // A lane and the line never hold the same channel: what came first would be taken for the newer.
    if (this.#line.length > 0) this.#lag();
    return this.#lanes?.get(batch.channel) ?? this.#newLane(batch);
  }

  #newLane({ channel, namespace }: Batch): Lane {
    const lane = new Lane(channel, namespace, this.#owner.intervalOf(channel));
    const lanes = (this.#lanes ??= new Map());
    const fresh = (this.#fresh ??= new Set());
    // No more of them than lanes: whoever comes and goes while nothing is read leaves none behind.
    if (fresh.size >= lanes.size) for (const old of fresh) if (lanes.get(old.channel) !== old) fresh.delete(old);
    lanes.set(channel, lane);
    fresh.add(lane);
    return lane;
  }

  /** False: the lane grew too long and was given up. */
  #addTo(lane: Lane, batch: Batch): boolean {
    const { parts } = batch.encoded(this.#codec);
    const before = lane.bytes;
    let conflated = 0;
    batch.pushes.forEach((push, i) => {
      const part = parts[i];
      if (part !== undefined) conflated += lane.add(push, part);
    });
    this.#bytes += lane.bytes - before;
    if (conflated > 0) this.#owner.skipped('conflated', lane.namespace.name, conflated);
    // The log has it all: no need to hold megabytes of it for every slow connection.
    // What comes from there is a page at most, and giving it up would only read it again.
    const isLong = lane.bytes > fixedLimits.recoverLaneBytesMax && lane.size > 1 && !batch.isFromLog;
    if (!isLong || overflowOf(lane) !== 'recover') return true;
    this.#giveUp(lane);
    return false;
  }

  /** Control first, then the lanes in turns of a few bytes each. */
  #takeLanes(room: number, nowMs: number): OutboundFrame[] {
    const frames: OutboundFrame[] = [];
    let left = room;
    while (this.#control !== undefined && left > 0) {
      const frame = this.#control.shift();
      if (frame === undefined) break;
      frames.push(frame);
      left -= frame.bytes.length;
    }
    const takeTurn = (lane: Lane, bytesMax: number): boolean => {
      const parts = lane.take(this.#codec, Math.min(bytesMax, left), nowMs);
      for (const frame of joinParts(this.#codec, parts)) {
        frames.push(frame);
        left -= frame.bytes.length;
      }
      return parts.length > 0;
    };
    for (const lane of this.#fresh ?? []) {
      if (left <= 0) break;
      this.#fresh?.delete(lane);
      if (this.#lanes?.get(lane.channel) === lane) takeTurn(lane, freshTurnBytes);
    }
    const waiting = this.#lanes;
    let idle = 0;
    while (waiting !== undefined && left > 0 && idle < waiting.size) {
      const [lane] = waiting.values();
      if (lane === undefined) break;
      // To the back of the line, so that the next turn is another's.
      waiting.delete(lane.channel);
      waiting.set(lane.channel, lane);
      idle = takeTurn(lane, turnBytes) ? 0 : idle + 1;
    }
    this.#recount();
    this.#settle();
    return frames;
  }

  /** With nothing left that has to wait for the window, it is one line again. Lanes with an interval stay. */
  #settle(): void {
    if (this.#lanes !== undefined) {
      for (const lane of this.#lanes.values())
        if (lane.isEmpty && lane.intervalMs === 0) this.#lanes.delete(lane.channel);
      if (this.#lanes.size === 0) this.#lanes = this.#fresh = undefined;
    }
    if (this.#control?.length === 0) this.#control = undefined;
    const waits =
      this.#control !== undefined || [...(this.#lanes?.values() ?? [])].some((lane) => lane.intervalMs === 0);
    if (!waits) this.#isLagging = false;
  }

  #recount(): void {
    let bytes = this.#laneBytes();
    for (const frame of this.#control ?? []) bytes += frame.bytes.length;
    for (const entry of this.#line)
      bytes += entry instanceof Batch ? entry.encoded(this.#codec).bytes : entry.bytes.length;
    this.#bytes = bytes;
  }

  #laneBytes(): number {
    let bytes = 0;
    for (const lane of this.#lanes?.values() ?? []) bytes += lane.bytes;
    return bytes;
  }

  /** BP-1, BP-4: back below the bound, at the cost of the largest lane. */
  #relieve(): void {
    if (this.#bytes <= this.#bounds.outboundBytesMax) return;
    if (this.#line.length > 1) this.#lag();
    while (this.#bytes > this.#bounds.outboundBytesMax) {
      const lane = this.#largestLane();
      // A single frame, or a single publication, above the bound may still leave an otherwise empty queue.
      if (this.#line.length + (this.#control?.length ?? 0) + (lane?.size ?? 0) <= 1) return;
      if (lane === undefined || !this.#yields(lane)) {
        this.#owner.tooSlow();
        return;
      }
    }
  }

  /** False: its policy gives nothing up. */
  #yields(lane: Lane): boolean {
    switch (overflowOf(lane)) {
      case 'recover':
        this.#giveUp(lane);
        return true;
      case 'drop': {
        const before = lane.bytes;
        const dropped = lane.dropOldest(before / 2);
        this.#bytes -= before - lane.bytes;
        this.#owner.skipped('dropped', lane.namespace.name, dropped);
        return dropped > 0;
      }
      case 'disconnect':
        return false;
    }
  }

  #giveUp(lane: Lane): void {
    this.#bytes -= lane.bytes;
    this.#lanes?.delete(lane.channel);
    this.#owner.fellBehind(lane.channel, lane.lastOffset);
  }

  #largestLane(): Lane | undefined {
    let largest: Lane | undefined;
    for (const lane of this.#lanes?.values() ?? []) if (lane.bytes > (largest?.bytes ?? 0)) largest = lane;
    return largest;
  }
}

/** Where there is a log, nothing need be lost: the reader goes on from it. */
function overflowOf({ namespace }: Lane): Exclude<Overflow, 'auto'> {
  if (namespace.overflow !== 'auto') return namespace.overflow;
  return namespace.historySize > 0 ? 'recover' : 'disconnect';
}
