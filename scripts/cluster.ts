import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  engineServerNames,
  startEngineServer,
  type EngineServer,
  type EngineServerName,
} from '@tutti/testkit/engine-server';
import { requireService } from '@tutti/testkit/services';
import { freePort } from '@tutti/testkit/spawn-node';
import { root } from './files.ts';

/**
 * `npm run cluster`: an engine, a few nodes and nginx in front, as processes of this machine, to look at and to
 * break. Everything ends with Ctrl-C, and its data with it.
 */

const usage = `npm run cluster -- [--nodes 3] [--engine redis|nats] [--port 8000]

Nodes of one cluster behind nginx, on this machine only, insecure as \`tutti dev\` is.
`;

interface Running {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;
}

class Cluster {
  readonly #folder: string;
  readonly #children = new Set<ChildProcess>();
  #isEnding = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async startNode(name: string, engine: string, isFirst: boolean): Promise<Running> {
    const port = await freePort();
    const args = ['packages/cli/src/main.ts', 'dev', '--node-name', name, '--port', String(port)];
    args.push('--engine', engine, '--data-dir', join(this.#folder, name), '--trusted-proxies', '127.0.0.1');
    // One ticker is enough for all.
    if (!isFirst) args.push('--no-demo');
    const child = this.#spawn(process.execPath, args, `node ${name}`);
    await this.#answering(child, `node ${name}`, `http://127.0.0.1:${port}/ready`);
    return { name, port, child };
  }

  async startNginx(program: string, port: number, nodes: readonly Running[]): Promise<void> {
    const file = join(this.#folder, 'nginx.conf');
    await writeFile(file, nginxConfiguration(this.#folder, port, nodes));
    const child = this.#spawn(
      program,
      ['-p', this.#folder, '-c', file, '-e', join(this.#folder, 'error.log')],
      'nginx',
    );
    await this.#answering(child, 'nginx', `http://127.0.0.1:${port}/health`);
  }

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

  #spawn(program: string, args: readonly string[], what: string): ChildProcess {
    const env = { ...process.env, TUTTI_DRAIN_TIME: '1s' };
    // In a group of its own: Ctrl-C is for this script, which ends the others in their order.
    const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    this.#children.add(child);
    child.stdout?.resume();
    child.once('exit', (code, signal) => {
      this.#children.delete(child);
      if (!this.#isEnding) process.stdout.write(`${what} ended (${signal ?? code})\n`);
    });
    return child;
  }

  async #answering(child: ChildProcess, what: string, url: string): Promise<void> {
    for (const deadline = Date.now() + 30_000; Date.now() < deadline;) {
      if (child.exitCode !== null) throw new Error(`${what} ended before it answered: is its port in use?`);
      const isReady = await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${what} did not answer within 30 s`);
  }
}

/** No sticky sessions: any node takes any request. A node that is down is left out, and tried again later. */
function nginxConfiguration(folder: string, port: number, nodes: readonly Running[]): string {
  const servers = nodes.map((node) => `    server 127.0.0.1:${node.port} max_fails=1 fail_timeout=2s;`).join('\n');
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
events { worker_connections 10240; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  map $http_upgrade $connection_header { default upgrade; '' ''; }
  upstream nodes {
    random;
${servers}
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_buffering off;
      proxy_read_timeout 60s;
      proxy_connect_timeout 2s;
      proxy_next_upstream error timeout;
    }
  }
}
`;
}

function asked(): { nodes: number; engine: EngineServerName; port: number } | string {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '3' },
      engine: { type: 'string', default: 'redis' },
      port: { type: 'string', default: '8000' },
    },
  });
  const [nodes, port, { engine }] = [Number(values.nodes), Number(values.port), values];
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 9) return '--nodes takes a number from 1 to 9';
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return '--port takes a port';
  if (['memory', 'embedded', 'sqlite'].includes(engine))
    return `--engine ${engine}: it lives in one process, so that several nodes would know nothing of each other; one node is \`npm start\``;
  const known = engineServerNames.find((name) => name === engine);
  if (known === undefined) return `--engine takes ${engineServerNames.join(' or ')}`;
  return { nodes, engine: known, port };
}

async function main(): Promise<number> {
  const wanted = asked();
  const nginx = await requireService('nginx');
  if (typeof wanted === 'string' || 'skip' in nginx) {
    process.stderr.write(`${typeof wanted === 'string' ? wanted : ('skip' in nginx && nginx.skip) || ''}\n\n${usage}`);
    return 2;
  }
  const stopped = new Promise<void>((resolve) => {
    // Not once: npm and impatient people send it twice, and the second would leave the others running.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  const folder = await mkdtemp(join(tmpdir(), 'tutti-cluster-'));
  process.env['TUTTI_TOKEN_HMAC_SECRET'] ??= randomBytes(36).toString('base64');
  process.env['TUTTI_CLUSTER_SECRET'] ??= randomBytes(36).toString('base64');
  const cluster = new Cluster(folder);
  let engine: EngineServer | undefined;
  try {
    process.stdout.write(`starting ${wanted.engine}, ${wanted.nodes} nodes and nginx …\n`);
    engine = await startEngineServer(wanted.engine, { ownGroup: true });
    const nodes: Running[] = [];
    for (let i = 0; i < wanted.nodes; i += 1) {
      nodes.push(await cluster.startNode(String.fromCharCode(97 + i), engine.url, i === 0));
    }
    await cluster.startNginx(nginx.path, wanted.port, nodes);
    say(wanted.port, nodes);
    await stopped;
    process.stdout.write('ending …\n');
    return 0;
  } finally {
    await cluster.end();
    await engine?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function say(port: number, nodes: readonly Running[]): void {
  const rows = nodes.map(({ name, port: own, child }) => `  node ${name}   http://127.0.0.1:${own}   pid ${child.pid}`);
  const victim = nodes.at(-1);
  process.stdout.write(`
  page     http://127.0.0.1:${port}
${rows.join('\n')}

  kill one and watch the page: kill -9 ${victim?.child.pid}
  Ctrl-C ends everything.
`);
}

process.exitCode = await main();
