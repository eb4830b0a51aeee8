import { readFileSync } from 'node:fs';

/** The kernel counts in hundredths of a second on every machine that we know. */
const tickMs = 10;

/** CPU time that a process has used so far, its threads and the kernel's work for it included, milliseconds. */
export function cpuMs(pid: number): number {
  // The name in the second field may hold spaces and parentheses.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}
