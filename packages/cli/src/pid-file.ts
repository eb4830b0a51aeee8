import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A node that runs here, as `tutti drain` finds it. */
export interface RunningNode {
  readonly pid: number;
  /** When the process began, as the system tells it; empty where it does not. Another process may have the pid by now. */
  readonly began: string;
  readonly url: string;
  readonly metricsUrl: string;
}

const fileName = 'tutti.pid';

/** `tutti.pid` in the data folder: which node uses it. Left behind by a node that did not end as planned. */
export class PidFile {
  readonly path: string;

  constructor(dataDir: string) {
    this.path = join(dataDir, fileName);
  }

  /** Says this process is the node. Returns why not, where it cannot. */
  write(faces: { readonly url: string; readonly metricsUrl: string }): string | undefined {
    const other = this.read();
    if (other !== undefined && other.pid !== process.pid && isAlive(other)) {
      return `${this.path} is that of another node (process ${other.pid})`;
    }
    const { url, metricsUrl } = faces;
    const node: RunningNode = { pid: process.pid, began: beganAt(process.pid), url, metricsUrl };
    try {
      mkdirSync(join(this.path, '..'), { recursive: true });
      writeFileSync(this.path, `${JSON.stringify(node)}\n`);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Undefined: there is no file, or none that this program wrote. */
  read(): RunningNode | undefined {
    try {
      return runningNode(JSON.parse(readFileSync(this.path, 'utf8')));
    } catch {
      return undefined;
    }
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}

/** False also where the pid belongs to another process by now. */
export function isAlive({ pid, began }: RunningNode): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It is there, and somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return began === beganAt(pid);
}

/** The same for the whole life of a process, different for the next one with its pid. Empty where it cannot be told. */
function beganAt(pid: number): string {
  try {
    // The 22nd field, in ticks since the machine started; the 2nd is a name in brackets that may hold anything.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; nobody has asked for its exit code yet.
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
  } catch {
    return beganByPs(pid);
  }
}

function beganByPs(pid: number): string {
  try {
    const stdio = ['ignore', 'pipe', 'ignore'] as const satisfies readonly string[];
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: [...stdio] }).trim();
  } catch {
    return '';
  }
}

function runningNode(written: unknown): RunningNode | undefined {
  const { pid, began, url, metricsUrl } = written as Partial<Record<keyof RunningNode, unknown>>;
  // 0 and below mean whole groups of processes to kill. In a container a node may well be process 1.
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1) return undefined;
  if (typeof began !== 'string' || typeof url !== 'string' || typeof metricsUrl !== 'string') return undefined;
  return { pid, began, url, metricsUrl };
}
