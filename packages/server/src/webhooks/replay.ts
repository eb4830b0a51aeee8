import { createReadStream } from 'node:fs';
import { appendFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { deadLettersFile, olderDeadLettersFile } from './dead-letters.ts';
import type { Outcome } from './webhook-client.ts';

export interface ReplayReport {
  readonly delivered: number;
  /** Still in the folder, to be replayed another time. */
  readonly left: number;
  /** Why it ended early. */
  readonly problem?: string;
}

export interface ReplayOptions {
  /** Of the webhook. */
  readonly folder: string;
  readonly batchMax: number;
  readonly send: (lines: readonly Uint8Array[]) => Promise<Outcome>;
}

/** A line as `DeadLetters` writes it. */
const letterPattern = /^\{"at":\d+,"reason":"\w+","event":(\{.*\})\}$/;
const takenName = /^replaying-\d+-[01][.]jsonl$/;
/** Bytes of one request; a single event may be larger. */
const bodyBytesMax = 64 * 1024;

/**
 * Offers the dead letters of one webhook again, in the order in which they died. The files are moved
 * aside first, so a node that runs meanwhile writes new ones. It ends at the first batch that fails; what
 * was not delivered stays, and the next replay begins with it. An event may arrive twice, with the same
 * id. Throws where the files cannot be read or moved.
 */
export async function replayDeadLetters(
  { folder, batchMax, send }: ReplayOptions,
  nowMs: number,
): Promise<ReplayReport> {
  await takeAside(folder, nowMs);
  let delivered = 0;
  let left = 0;
  let problem: string | undefined;
  for (const path of (await filesOf(folder)).filter((name) => takenName.test(name)).map((name) => join(folder, name))) {
    if (problem !== undefined) {
      left += await countLines(path);
      continue;
    }
    const report = await replayFile(path, batchMax, send);
    delivered += report.delivered;
    left += report.left;
    problem = report.problem;
  }
  return { delivered, left, ...(problem === undefined ? {} : { problem }) };
}

async function takeAside(folder: string, nowMs: number): Promise<void> {
  const names = await filesOf(folder);
  const stamp = String(nowMs).padStart(14, '0');
  for (const [order, name] of [olderDeadLettersFile, deadLettersFile].entries()) {
    if (names.includes(name)) await rename(join(folder, name), join(folder, `replaying-${stamp}-${order}.jsonl`));
  }
}

async function replayFile(path: string, batchMax: number, send: ReplayOptions['send']): Promise<ReplayReport> {
  const rest = `${path}.rest`;
  let batch: string[] = [];
  let bytes = 0;
  let delivered = 0;
  let left = 0;
  let problem: string | undefined;
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    const lines = batch;
    batch = [];
    bytes = 0;
    const events = lines.flatMap((line) => eventOf(line) ?? []);
    const outcome = problem === undefined && events.length > 0 ? await send(events) : undefined;
    if (outcome?.isDelivered === true) {
      delivered += events.length;
      return;
    }
    // A line that holds no event (the disk was full in its middle) would stop every replay.
    if (outcome === undefined && problem === undefined) return;
    if (outcome !== undefined && !outcome.isDelivered) problem = outcome.detail;
    left += events.length;
    await appendFile(rest, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  };
  await writeFile(rest, '', { mode: 0o600 });
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (batch.length >= batchMax || (bytes + line.length > bodyBytesMax && batch.length > 0)) await flush();
    batch.push(line);
    bytes += line.length;
  }
  await flush();
  if (left > 0) await rename(rest, path);
  else {
    await rm(path, { force: true });
    await rm(rest, { force: true });
  }
  return { delivered, left, ...(problem === undefined ? {} : { problem }) };
}

function eventOf(line: string): Uint8Array | undefined {
  const [, event] = letterPattern.exec(line) ?? [];
  if (event === undefined) return undefined;
  try {
    JSON.parse(event);
    // As it was written: parsing and writing would change large numbers in payloads.
    return Buffer.from(event);
  } catch {
    return undefined;
  }
}

async function countLines(path: string): Promise<number> {
  let count = 0;
  for await (const _ of createInterface({ input: createReadStream(path) })) count += 1;
  return count;
}

async function filesOf(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
