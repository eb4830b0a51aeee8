import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { devApiKeyFile } from '@tutti/server/config';
import { configureNginx } from '@tutti/testkit/proxies';
import { freePort } from '@tutti/testkit/spawn-node';
import { root } from './files.ts';

/** Generous: a laptop that compiles something else takes its time. */
const startMsMax = 60_000;

export interface RunningNode {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

/** Nodes and nginx as processes of this machine, their files in `folder`; what they log goes to standard error. */
export class LocalCluster {
  readonly #folder: string;
  /** One for all nodes, so that whichever nginx chooses takes it. */
  readonly #apiKey = randomBytes(48).toString('base64url');
  readonly #children = new Set<ChildProcess>();
  #isEnding = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Resolves when it is ready. A node that is not the first has no ticker, and does not repeat what the first one warns of. */
  async startNode(name: string, engine: string, isFirst: boolean): Promise<RunningNode> {
    const port = await freePort();
    const dataDir = join(this.#folder, name);
    await mkdir(dataDir, { recursive: true });
    await writeFile(join(dataDir, devApiKeyFile), `${this.#apiKey}\n`, { mode: 0o600 });
    const args = ['packages/cli/src/main.ts', 'dev', '--node-name', name, '--port', String(port)];
    args.push('--engine', engine, '--data-dir', dataDir, '--trusted-proxies', '127.0.0.1');
    if (!isFirst) args.push('--no-demo');
    const child = this.#spawn(process.execPath, args, `node ${name}`, isFirst);
    await this.#answering(child, `http://127.0.0.1:${port}/ready`);
    child.log.show();
    return { name, port, pid: child.process.pid ?? 0 };
  }

  async startNginx(program: string, port: number, nodes: readonly RunningNode[]): Promise<void> {
    const folder = await mkdtemp(join(this.#folder, 'nginx-'));
    const args = await configureNginx({ folder, port, targets: nodes.map((node) => node.port) });
    await this.#answering(this.#spawn(program, args, 'nginx', true), `http://127.0.0.1:${port}/health`);
  }

  /** Also while something is being started, which then fails. */
  async end(): Promise<void> {
    this.#isEnding = true;
    const ended = [...this.#children].map(async (child) => {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(timer);
    });
    await Promise.all(ended);
  }

  #spawn(program: string, args: readonly string[], what: string, isShown: boolean): Started {
    if (this.#isEnding) throw new Error(`${what} was not started any more`);
    const env = { ...process.env, TUTTI_DRAIN_TIME: '1s' };
    // In a group of its own: Ctrl-C is for this script, which ends the others in their order.
    const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    this.#children.add(child);
    const log = new ChildLog(child.stderr, what, isShown, () => this.#isEnding);
    child.once('exit', (code, signal) => {
      this.#children.delete(child);
      if (!this.#isEnding) process.stderr.write(`${what} ended (${signal ?? code})\n`);
    });
    return { process: child, what, log };
  }

  async #answering({ process: child, what, log }: Started, url: string): Promise<void> {
    let last = '';
    for (const deadline = Date.now() + startMsMax; Date.now() < deadline;) {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
        last = response.ok ? '' : `${response.status} ${(await response.text()).slice(0, 500)}`;
      } catch (error) {
        last = error instanceof Error && error.name === 'TimeoutError' ? 'no answer in 5 s' : 'not listening';
      }
      // Asked afterwards: the answer may be that of somebody else on the same port.
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`${what} ended before it answered${log.kept}`);
      if (last === '') return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${what} is not ready after ${startMsMax / 1000} s, at ${url}: ${last}${log.kept}`);
  }
}

interface Started {
  readonly process: ChildProcess;
  readonly what: string;
  readonly log: ChildLog;
}

const keptLinesMax = 50;

/** The lines of a child, under its name; kept, not shown, until `show`. */
class ChildLog {
  readonly #lines: string[] = [];
  #isShown: boolean;

  constructor(stream: Readable, what: string, isShown: boolean, isEnding: () => boolean) {
    this.#isShown = isShown;
    createInterface({ input: stream }).on('line', (line) => {
      // Nodes of a cluster that ends as a whole report each other's end.
      if (this.#isShown && !isEnding()) process.stderr.write(`${what} | ${line}\n`);
      else if (this.#lines.length < keptLinesMax) this.#lines.push(line);
    });
  }

  get kept(): string {
    return this.#isShown || this.#lines.length === 0 ? '' : `:\n${this.#lines.join('\n')}`;
  }

  show(): void {
    this.#isShown = true;
  }
}
