import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  engineServerNames,
  startEngineServer,
  type EngineServer,
  type EngineServerName,
} from '@tutti/testkit/engine-server';
import { findService, howToInstall, obtainService } from '@tutti/testkit/services';
import { LocalCluster, type RunningNode } from './local-cluster.ts';

/**
 * `npm run cluster`: an engine, a few nodes and nginx in front, as processes of this machine, to look at and to
 * break. Everything ends with Ctrl-C, and its data with it.
 */

const usage = `npm run cluster -- [--nodes 3] [--engine redis|redis-cluster|nats] [--port 8000]

Nodes of one cluster behind nginx, on this machine only, insecure as \`tutti dev\` is.

  --nodes N       from 1 to 9
  --engine NAME   redis, redis-cluster or nats: what the nodes share, started here too
  --port N        where nginx listens; each node has a port of its own besides
`;

const programs: Record<EngineServerName, readonly string[]> = {
  redis: ['redis-server', 'redis-cli'],
  'redis-cluster': ['redis-server', 'redis-cli'],
  nats: ['nats-server'],
};

interface Wanted {
  readonly nodes: number;
  readonly engine: EngineServerName;
  readonly port: number;
}

/** Something that its reader can mend: said without where in the code it was found. */
class Refusal extends Error {}

function asked(): Wanted | 'help' {
  const { values, positionals } = parsed();
  if (values.help) return 'help';
  if (positionals.length > 0)
    throw new Refusal(
      `“${positionals.join(' ')}” belongs to no option; npm needs \`--\` before options: npm run cluster -- --nodes 3`,
    );
  const [nodes, port, { engine }] = [Number(values.nodes), Number(values.port), values];
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 9) throw new Refusal('--nodes takes a number from 1 to 9');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Refusal('--port takes a number from 1 to 65535');
  if (['memory', 'embedded', 'sqlite'].includes(engine))
    throw new Refusal(
      `--engine ${engine}: it lives in one process, so that several nodes would know nothing of each other; one node is \`npm start\``,
    );
  const known = engineServerNames.find((name) => name === engine);
  if (known === undefined) throw new Refusal(`--engine takes ${engineServerNames.join(', ')}`);
  return { nodes, engine: known, port };
}

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        nodes: { type: 'string', default: '3' },
        engine: { type: 'string', default: 'redis' },
        port: { type: 'string', default: '8000' },
      },
    });
  } catch (error) {
    // Its first sentence; the rest is about arguments that begin with a dash.
    throw new Refusal(error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error));
  }
}

/** Path of a program; where it is missing, gets it if this machine lets it. */
function programOf(name: string): string {
  const found = findService(name);
  if (found !== undefined) return found;
  process.stdout.write(`${name} is not on PATH: trying to install it …\n`);
  const obtained = obtainService(name);
  if (obtained === undefined) throw new Refusal(`${name} is missing: ${howToInstall(name)}`);
  return obtained;
}

async function refuseUsedPort(port: number): Promise<void> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be had (${code})`;
    throw new Refusal(`port ${port} ${why}: take another with --port`);
  }
  server.close();
  await once(server, 'close');
}

async function run({ nodes: count, engine: engineName, port }: Wanted): Promise<void> {
  for (const name of programs[engineName]) programOf(name);
  const nginx = programOf('nginx');
  await refuseUsedPort(port);
  const stopped = new Promise<void>((resolve) => {
    // Not once: npm and impatient people send it twice, and the second would leave the others running.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  const folder = await mkdtemp(join(tmpdir(), 'tutti-cluster-'));
  process.env['TUTTI_TOKEN_HMAC_SECRET'] ??= randomBytes(36).toString('base64');
  process.env['TUTTI_CLUSTER_SECRET'] ??= randomBytes(36).toString('base64');
  const cluster = new LocalCluster(folder);
  let engine: EngineServer | undefined;
  const start = async (): Promise<void> => {
    engine = await startEngineServer(engineName, { ownGroup: true });
    const names = Array.from({ length: count }, (_, i) => String.fromCharCode(97 + i));
    const nodes: RunningNode[] = [];
    for (const [i, name] of names.entries()) nodes.push(await cluster.startNode(name, engine.url, i === 0));
    await cluster.startNginx(nginx, port, nodes);
    say(port, nodes, folder);
  };
  process.stdout.write(`starting ${engineName}, ${count === 1 ? '1 node' : `${count} nodes`} and nginx …\n`);
  const started = start();
  try {
    await Promise.race([stopped, started]);
    await stopped;
    process.stdout.write('ending …\n');
  } finally {
    await cluster.end();
    await started.catch(() => undefined);
    await engine?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function say(port: number, nodes: readonly RunningNode[], folder: string): void {
  const [first] = nodes;
  const rows = nodes.map(({ name, port: own, pid }) => `  node ${name}   http://127.0.0.1:${own}   pid ${pid}`);
  process.stdout.write(`
  chat     http://127.0.0.1:${port}/chat   through nginx, to any node
${rows.join('\n')}

  kill one and watch the page: kill -9 ${nodes.at(-1)?.pid}
  how they are: npx tutti nodes --url http://127.0.0.1:${port} --data-dir ${join(folder, first?.name ?? '')}
  Ctrl-C ends everything.

`);
}

async function main(): Promise<number> {
  try {
    const wanted = asked();
    if (wanted === 'help') process.stdout.write(usage);
    else await run(wanted);
    return 0;
  } catch (error) {
    const isRefusal = error instanceof Refusal;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${isRefusal ? `\n${usage}` : ''}`);
    return isRefusal ? 2 : 1;
  }
}

process.exitCode = await main();
