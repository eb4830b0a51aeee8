import { readFileSync } from 'node:fs';

/** Linux counts processor time for user space in hundredths of a second, whatever its own clock. */
const microsecondsPerTick = 10_000;

/** Processor time that a process used since its start, all threads, user and system. Microseconds, in steps of 10 ms. */
export function cpuMicroseconds(pid: number): number {
  const stat = readProc(pid, 'stat');
  // The name of the program comes in brackets and may itself hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * microsecondsPerTick;
}

/** Resident memory in bytes. From smaps_rollup, which is exact; VmRSS lags behind by some pages a thread. */
export function residentBytes(pid: number): number {
  const rollup = /^Rss:\s+(\d+) kB$/m.exec(readProc(pid, 'smaps_rollup'));
  if (rollup === null) throw new Error(`/proc/${pid}/smaps_rollup does not say Rss`);
  return Number(rollup[1]) * 1024;
}

/** Files that this process, and one it starts, may have open. */
export function openFilesMax(): number {
  const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readProc('self', 'limits'));
  return limit?.[1] === undefined || limit[1] === 'unlimited' ? Infinity : Number(limit[1]);
}

function readProc(pid: number | 'self', file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    throw new Error(`/proc/${pid}/${file} cannot be read; the bench measures processes on Linux only`, {
      cause: error,
    });
  }
}
