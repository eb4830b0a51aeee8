import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cpuMicroseconds, residentBytes } from '../measure/process-usage.ts';

const probe = fileURLToPath(new URL('./probe.ts', import.meta.url));
const startMsMax = 30_000;
const stopMsMax = 15_000;
const stderrBytesMax = 16 * 1024;

/** What the process says of its own memory, after a full garbage collection. Bytes. */
export interface CollectedMemory {
  readonly heapUsed: number;
  readonly external: number;
}

/**
 * A server in a process of its own. It prints a line of JSON `{"type":"listening","url":…}` once it
 * listens. Measured from outside; the probe that is loaded into it sleeps until it is asked.
 */
export class MeasuredProcess {
  readonly url: URL;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = new URL(url);
  }

  /** `args`: program and its arguments, with flags of Node before them. */
  static async start(args: readonly string[], cwd?: string): Promise<MeasuredProcess> {
    const child = spawn(process.execPath, ['--expose-gc', '--import', probe, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      ...(cwd === undefined ? {} : { cwd }),
    });
    try {
      return new MeasuredProcess(child, await listening(child));
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** Since its start, microseconds in steps of 10 ms. */
  cpuMicroseconds(): number {
    return cpuMicroseconds(this.#pid);
  }

  residentBytes(): number {
    return residentBytes(this.#pid);
  }

  /** Collects garbage there first. */
  collectedMemory(): Promise<CollectedMemory> {
    return new Promise((resolve, reject) => {
      const exited = (): void => reject(new Error('the measured server ended'));
      this.#child.once('exit', exited);
      this.#child.once('message', (memory) => {
        this.#child.off('exit', exited);
        resolve(memory as CollectedMemory);
      });
      this.#child.send('collect');
    });
  }

  /** SIGTERM, so that a profile is written; SIGKILL where that takes too long. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
    await gone;
    clearTimeout(timer);
  }

  get #pid(): number {
    if (this.#child.pid === undefined) throw new Error('the measured server did not start');
    return this.#child.pid;
  }
}

/** Reads its output to the end, so that the pipes never fill. */
function listening(child: ChildProcess): Promise<string> {
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-stderrBytesMax);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no server after ${startMsMax} ms:\n${stderr}`)), startMsMax);
    const ended = (code: number | null): void => {
      clearTimeout(timer);
      reject(new Error(`the measured server ended with ${String(code)}:\n${stderr}`));
    };
    child.once('error', reject);
    child.once('exit', ended);
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (!line.includes('"type":"listening"')) return;
      clearTimeout(timer);
      child.off('exit', ended);
      resolve((JSON.parse(line) as { url: string }).url);
    });
  });
}
