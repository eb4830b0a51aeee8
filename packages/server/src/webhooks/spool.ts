import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Segment {
  readonly path: string;
  /** Lines written, and how many of them from the front are done with. */
  lines: number;
  removed: number;
  bytes: number;
}

const segmentBytesMax = 1024 * 1024;
const segmentName = /^spool-(\d{8})[.]jsonl$/;
const newline = Buffer.from('\n');

/**
 * The events that wait for one webhook, on disk, so that a killed process loses at most what came
 * since the last flush. Lines go in at the end and out at the front; files of about a megabyte, each
 * removed when all its lines are done with.
 *
 * Not synced: a file survives the process, not the power. How far the first file is done with is
 * written down after each batch; where that was too late, events are sent twice, with the same ids.
 *
 * A disk that fails ends the spool until the next start, and nothing else: events are then in memory alone.
 */
export class Spool {
  readonly #folder: string;
  readonly #onFailure: (error: unknown) => void;
  readonly #segments: Segment[] = [];
  #waiting: Uint8Array[] = [];
  #nextNumber = 1;
  #isWriting: Promise<void> | undefined;
  #mustWriteAgain = false;
  #writtenPosition = '';
  #hasFailed = false;
  /** Files done with. */
  readonly #doneWith: string[] = [];

  constructor(folder: string, onFailure: (error: unknown) => void) {
    this.#folder = folder;
    this.#onFailure = onFailure;
  }

  /** False: the disk has failed, and the spool holds nothing to rely on. */
  get isWorking(): boolean {
    return !this.#hasFailed;
  }

  /** What an earlier process left. Called once, before anything else. Never rejects. */
  async load(): Promise<Uint8Array[]> {
    try {
      await mkdir(this.#folder, { recursive: true });
      return await this.#read();
    } catch (error) {
      this.#fail(error);
      return [];
    }
  }

  add(line: Uint8Array): void {
    if (!this.#hasFailed) this.#waiting.push(line);
  }

  /** So many from the front are delivered, or kept elsewhere. */
  remove(count: number): void {
    let left = count;
    while (left > 0 && this.#segments.length > 0) {
      const [first] = this.#segments;
      if (first === undefined) break;
      const taken = Math.min(left, first.lines - first.removed);
      first.removed += taken;
      left -= taken;
      if (first.removed < first.lines) break;
      this.#segments.shift();
      this.#doneWith.push(first.path);
    }
    if (left > 0) this.#waiting.splice(0, left);
  }

  /** Resolves when what was added and removed before is written. Never rejects. */
  flush(): Promise<void> {
    this.#mustWriteAgain = true;
    return (this.#isWriting ??= this.#write().finally(() => {
      this.#isWriting = undefined;
    }));
  }

  async #write(): Promise<void> {
    while (this.#mustWriteAgain && !this.#hasFailed) {
      this.#mustWriteAgain = false;
      try {
        await this.#append();
        await this.#writePosition();
        for (const path of this.#doneWith.splice(0)) await rm(path, { force: true });
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  async #append(): Promise<void> {
    const lines = this.#waiting;
    if (lines.length === 0) return;
    this.#waiting = [];
    const bytes = Buffer.concat(lines.flatMap((line) => [line, newline]));
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.bytes > segmentBytesMax) {
      segment = { path: this.#path(this.#nextNumber), lines: 0, removed: 0, bytes: 0 };
      this.#nextNumber += 1;
      this.#segments.push(segment);
    }
    // Counted first: what is removed meanwhile is removed from here.
    segment.lines += lines.length;
    segment.bytes += bytes.length;
    await appendFile(segment.path, bytes, { mode: 0o600 });
  }

  async #writePosition(): Promise<void> {
    const [first] = this.#segments;
    const position = first === undefined ? '' : `${first.path.slice(this.#folder.length + 1)} ${first.removed}\n`;
    if (position === this.#writtenPosition) return;
    await writeFile(join(this.#folder, 'spool-position'), position, { mode: 0o600 });
    this.#writtenPosition = position;
  }

  async #read(): Promise<Uint8Array[]> {
    const names = (await readdir(this.#folder)).filter((name) => segmentName.test(name)).toSorted();
    const [name, removed] = (await readPosition(join(this.#folder, 'spool-position'))).split(' ');
    const found: Uint8Array[] = [];
    for (const file of names) {
      const path = join(this.#folder, file);
      const bytes = await readFile(path);
      const lines = linesOf(bytes);
      const done = file === name ? Math.min(Number(removed) || 0, lines.length) : 0;
      if (done === lines.length) this.#doneWith.push(path);
      // Whatever is added goes into a new file: this one may end in the middle of a line.
      else this.#segments.push({ path, lines: lines.length, removed: done, bytes: Infinity });
      found.push(...lines.slice(done));
      this.#nextNumber = Number(segmentName.exec(file)?.[1]) + 1;
    }
    return found;
  }

  #path(number: number): string {
    return join(this.#folder, `spool-${String(number).padStart(8, '0')}.jsonl`);
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    this.#waiting = [];
    this.#onFailure(error);
  }
}

async function readPosition(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return '';
  }
}

/** Whole lines; what stands behind the last line break was never finished. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}
