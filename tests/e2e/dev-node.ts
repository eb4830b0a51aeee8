import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tutti/testkit';

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const startMsMax = 20_000;

/** `tutti dev`, as a newcomer runs it: a process of its own in an empty folder, to be killed and started again. */
export class DevNode {
  readonly url: string;
  /** Where it was started: `data` is in it. */
  readonly folder: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  readonly #args: readonly string[];

  private constructor(folder: string, port: number, args: readonly string[]) {
    this.#args = args;
    this.folder = folder;
    this.#port = port;
    this.url = `http://localhost:${port}`;
  }

  static async start(args: readonly string[] = []): Promise<DevNode> {
    const node = new DevNode(await mkdtemp(join(tmpdir(), 'tutti-dev-')), await freePort(), args);
    try {
      await node.restart();
    } catch (error) {
      await node.close();
      throw error;
    }
    return node;
  }

  /** Resolves when it listens. */
  async restart(): Promise<void> {
    const child = spawn(process.execPath, [main, 'dev', '--json', '--port', String(this.#port), ...this.#args], {
      cwd: this.folder,
      // None of this process's variables: they could be options of the node.
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5 * 60_000,
    });
    this.#child = child;
    const lines = createInterface({ input: child.stdout });
    const ended = once(child, 'exit').then(() => 'ended');
    const listening = new Promise<string>((resolve) => {
      lines.on('line', (line) => {
        if (line.includes('"type":"listening"')) resolve('listening');
      });
    });
    const late = new Promise<string>((resolve) => setTimeout(resolve, startMsMax, 'is late').unref());
    const outcome = await Promise.race([listening, ended, late]);
    if (outcome !== 'listening') throw new Error(`tutti dev ${outcome} before it listened`);
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
