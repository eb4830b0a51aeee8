import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Settings } from '@tutti/server/config';
import {
  testFolder,
  testSettings,
  testTokens,
  webSocketUrl,
  type TestSettings,
  type TestTokens,
} from './test-settings.ts';

/** `tutti serve` as a process of its own, to be killed and started again. */
export interface SpawnedNode extends TestTokens {
  readonly url: string;
  readonly wsUrl: string;
  readonly port: number;
  readonly dataDir: string;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  readonly isRunning: boolean;
  /** What it wrote to standard error, all its processes together, the last 64 KiB. */
  readonly stderr: string;
  /** Its log, as lines of JSON, of which the same is kept. */
  readonly log: string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves to the exit code, or to the signal that ended it. */
  stop(): Promise<number | NodeJS.Signals>;
  /** Runs it again on the same port and folder, after `kill` or `stop`. */
  restart(): Promise<void>;
  /** Ends it, whatever it does, and removes its folder. */
  close(): Promise<void>;
}

const main = fileURLToPath(new URL('../../cli/src/main.ts', import.meta.url));
const startMsMax = 20_000;
const stderrBytesMax = 64 * 1024;

/** Resolves when the node listens. Settings are those of `testSettings`, at log level `warn`. */
export async function spawnNode(options: TestSettings = {}): Promise<SpawnedNode> {
  const folder = await testFolder();
  const port = options.settings?.port ?? (await freePort());
  const defaults = { logLevel: 'warn', ...options.settings, port } as const;
  const settings = testSettings({ ...options, settings: defaults }, join(folder.path, 'data'));
  await writeFile(join(folder.path, 'tutti.config.json'), JSON.stringify(written(settings)));
  const node = new NodeProcess(folder.path, port);
  try {
    await node.start();
  } catch (error) {
    await node.kill();
    await folder.remove();
    throw error;
  }
  const url = `http://127.0.0.1:${port}`;
  return {
    ...testTokens(settings),
    url,
    wsUrl: webSocketUrl(url),
    port,
    dataDir: settings.dataDir,
    get pid() {
      return node.pid;
    },
    get isRunning() {
      return node.isRunning;
    },
    get stderr() {
      return node.stderr;
    },
    get log() {
      return node.log;
    },
    kill: () => node.kill(),
    stop: () => node.stop(),
    restart: () => node.start(),
    close: async () => {
      await node.kill();
      await folder.remove();
    },
  };
}

/**
 * A port that nobody listens on now. Below 32768, where systems do not hand out ports by themselves,
 * so that it is still free after a restart.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(20_000, 32_768);
    const server = createServer();
    const listening = once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.listen(port, '127.0.0.1');
    if (!(await listening)) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error('no free port between 20000 and 32767');
}

/** A program that dies of a fault of its own must not leave its nodes behind. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

class NodeProcess {
  stderr = '';
  log = '';
  readonly #folder: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #exited: Promise<number | NodeJS.Signals> = Promise.resolve(0);

  constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async start(): Promise<void> {
    if (this.isRunning) throw new Error('the node runs already: kill or stop it first');
    // None of this process's variables: they could be options of the node.
    const child = spawn(process.execPath, [main, 'serve', '--json', '--port', String(this.#port)], {
      cwd: this.#folder,
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    running.add(child);
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        running.delete(child);
        resolve(code ?? signal ?? 0);
      });
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-stderrBytesMax);
    });
    await this.#listening(child);
  }

  async kill(): Promise<void> {
    if (this.isRunning) this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  stop(): Promise<number | NodeJS.Signals> {
    if (this.isRunning) this.#child?.kill('SIGTERM');
    return this.#exited;
  }

  /** Reads on afterwards, so that the pipe never fills. */
  #listening(child: ChildProcess): Promise<void> {
    const failed = (what: string): Error => new Error(`the node ${what} before it listened:\n${this.stderr}`);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(failed(`took more than ${startMsMax} ms`)), startMsMax);
      const lines = createInterface({ input: child.stdout! });
      lines.on('line', (line) => {
        this.log = `${this.log}${line}\n`.slice(-stderrBytesMax);
        if (!line.includes('"type":"listening"')) return;
        clearTimeout(timer);
        resolve();
      });
      void this.#exited.then((code) => {
        clearTimeout(timer);
        reject(failed(`ended with ${code}`));
      });
    });
  }
}

/** Settings as a configuration file writes them: durations with their unit, namespaces by name. */
function written(settings: Settings): Record<string, unknown> {
  const namespaces = [...settings.namespaces].map(([name, { name: _name, ...rest }]) => [name, withUnits(rest)]);
  const webhooks = settings.webhooks.map(withUnits);
  return { ...withUnits(settings), namespaces: Object.fromEntries(namespaces) as unknown, webhooks };
}

function withUnits(values: object): Record<string, unknown> {
  const entries = Object.entries(values).map(([name, value]: [string, unknown]) =>
    name.endsWith('Ms') ? [name.slice(0, -2), `${String(value)}ms`] : [name, value],
  );
  return Object.fromEntries(entries) as Record<string, unknown>;
}
