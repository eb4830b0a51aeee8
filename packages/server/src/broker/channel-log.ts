import { publicationBytes, type Publication } from '@tutti/protocol';
import type { HistoryPage, HistoryQuery, HistoryRetention, PublicationDraft } from './broker.ts';

const capacityMin = 4;
/** What a kept publication takes beside its bytes: objects, headers, its slot. */
export const keptOverheadBytes = 256;

/** What all logs together hold; each log counts itself into it. */
export interface ByteMeter {
  bytes: number;
}

/**
 * The kept publications of one channel, in memory: a ring bounded by size and age. Pure: time comes in.
 *
 * Offsets are contiguous, so a publication's slot is `offset % capacity`, and no offset is stored or
 * searched. The ring doubles up to the retention's size and is let go when nothing is kept, so that
 * a channel costs what it holds. Age is measured in `atMs`, a clock that never goes back; the
 * publication's own `time` is only shown.
 */
export class ChannelLog {
  readonly life: number;
  readonly epoch: string;
  #top = 0;
  #kept = 0;
  #ttlMs = 0;
  #lastAtMs: number;
  #publications: (Publication | undefined)[] = [];
  #atMs: number[] = [];
  readonly #meter: ByteMeter;

  constructor(life: number, epoch: string, atMs: number, meter: ByteMeter = { bytes: 0 }) {
    this.life = life;
    this.epoch = epoch;
    this.#lastAtMs = atMs;
    this.#meter = meter;
  }

  /** Offset of the newest publication ever appended. */
  get top(): number {
    return this.#top;
  }

  get kept(): number {
    return this.#kept;
  }

  /** When something was last appended. */
  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  /** `retention` holds for the whole channel from now on. */
  append(draft: PublicationDraft, timeMs: number, atMs: number, retention: HistoryRetention): Publication {
    // By the old age first: what was gone must not come back under a longer one.
    this.expire(atMs);
    this.#ttlMs = retention.ttlMs;
    this.#lastAtMs = atMs;
    this.expire(atMs);
    const size = Math.max(1, Math.floor(retention.size));
    this.#dropOldest(this.#kept - (size - 1));
    this.#makeRoom(size);
    const publication: Publication = { ...draft, offset: ++this.#top, time: timeMs };
    const slot = this.#top % this.#publications.length;
    this.#publications[slot] = publication;
    this.#atMs[slot] = atMs;
    this.#kept++;
    this.#meter.bytes += keptBytes(publication);
    return publication;
  }

  /** Lets go of what is past its age. */
  expire(atMs: number): void {
    const capacity = this.#publications.length;
    let expired = 0;
    while (expired < this.#kept && this.#atMs[(this.#oldest + expired) % capacity]! + this.#ttlMs <= atMs) expired++;
    this.#dropOldest(expired);
  }

  /** Forgets the publications; the top stays. */
  clear(): void {
    this.#dropOldest(this.#kept);
  }

  /** Lets the oldest go until all logs together are within `bytesMax`; keeps the newest. */
  shrink(bytesMax: number): void {
    while (this.#kept > 1 && this.#meter.bytes > bytesMax) this.#dropOldest(1);
  }

  page(query: HistoryQuery, atMs: number): HistoryPage {
    this.expire(atMs);
    const top = { offset: this.#top, epoch: this.epoch };
    const publications = query.reverse === true ? this.#before(query) : this.#after(query);
    return { publications, top };
  }

  #after({ since, limit, bytesMax }: HistoryQuery): Publication[] {
    const first = Math.max(this.#oldest, (since?.offset ?? 0) + 1);
    return this.#cut(first, 1, Math.min(this.#top - first + 1, limit), bytesMax);
  }

  #before({ since, limit, bytesMax }: HistoryQuery): Publication[] {
    const first = Math.min(this.#top, (since?.offset ?? Infinity) - 1);
    return this.#cut(first, -1, Math.min(first - this.#oldest + 1, limit), bytesMax);
  }

  /** `count` publications from an offset on, or as many as fit; one always fits. */
  #cut(first: number, step: 1 | -1, count: number, bytesMax = Infinity): Publication[] {
    const page: Publication[] = [];
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const publication = this.#at(first + i * step);
      bytes += publicationBytes(publication);
      if (bytes > bytesMax && i > 0) break;
      page.push(publication);
    }
    return page;
  }

  get #oldest(): number {
    return this.#top - this.#kept + 1;
  }

  #at(offset: number): Publication {
    return this.#publications[offset % this.#publications.length]!;
  }

  #dropOldest(count: number): void {
    if (count <= 0) return;
    for (let i = 0; i < Math.min(count, this.#kept); i++) this.#meter.bytes -= keptBytes(this.#at(this.#oldest + i));
    if (count >= this.#kept) {
      this.#publications = [];
      this.#atMs = [];
      this.#kept = 0;
      return;
    }
    // The slots are emptied, because a payload that nobody can read must not stay in memory.
    for (let i = 0; i < count; i++) this.#publications[(this.#oldest + i) % this.#publications.length] = undefined;
    this.#kept -= count;
  }

  /** One more fits after it. Grows by doubling; shrinks where the retention became much smaller. */
  #makeRoom(size: number): void {
    const capacity = this.#publications.length;
    if (this.#kept < capacity && capacity <= Math.max(capacityMin, size) * 2) return;
    this.#resize(Math.min(size, Math.max(capacityMin, this.#kept * 2)));
  }

  #resize(capacity: number): void {
    const publications = new Array<Publication | undefined>(capacity).fill(undefined);
    const atMs = new Array<number>(capacity).fill(0);
    for (let offset = this.#oldest; offset <= this.#top; offset++) {
      publications[offset % capacity] = this.#at(offset);
      atMs[offset % capacity] = this.#atMs[offset % this.#atMs.length]!;
    }
    this.#publications = publications;
    this.#atMs = atMs;
  }
}

function keptBytes(publication: Publication): number {
  return publicationBytes(publication) + keptOverheadBytes;
}
