import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { requireService } from './services.ts';
import { freePort } from './spawn-node.ts';

export interface RedisOptions {
  /** Append-only file: `always` is synced before each answer. Default `everysec`; `none`: nothing on disk. */
  readonly persistence?: 'always' | 'everysec' | 'none';
  readonly password?: string;
  /** Of the Sentinels, where there are some. */
  readonly sentinelPassword?: string;
  /** Further lines of the configuration: `maxmemory-policy allkeys-lru`. */
  readonly config?: readonly string[];
  /** Ctrl-C in the terminal is not for it: whoever started it ends it, after what uses it. */
  readonly ownGroup?: boolean;
}

/** One `redis-server` process, to be killed, held and started again; its port and folder stay. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  readonly isRunning: boolean;
  /** `redis-cli` with these arguments; what it printed. Throws where the server says no. */
  command(...args: string[]): string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** SIGSTOP and SIGCONT: it is there, and answers nothing. */
  pause(): void;
  resume(): void;
  /** Ends it, whatever it does, and removes its folder. */
  close(): Promise<void>;
}

/** A master and a replica that three Sentinels watch. */
export interface RedisSentinels {
  /** For the option `engine`. */
  readonly url: string;
  /** The one that the Sentinels call master now. */
  master(): RedisServer;
  replica(): RedisServer;
  close(): Promise<void>;
}

/** Three masters, each with as many replicas as were asked for. */
export interface RedisCluster {
  readonly url: string;
  readonly servers: readonly RedisServer[];
  /** Who serves the key now, as the others see it. */
  masterOf(key: string): RedisServer;
  /** Those that copy it. */
  replicasOf(master: RedisServer): readonly RedisServer[];
  close(): Promise<void>;
}

export const masterName = 'tutti';
const startMsMax = 10_000;

/** Why Redis cannot be had here, to skip tests by; undefined where it can. */
export async function redisMissing(): Promise<string | undefined> {
  for (const name of ['redis-server', 'redis-cli']) {
    const service = await requireService(name);
    if ('skip' in service) return service.skip;
  }
  return undefined;
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const server = new RedisProcess(await pathOf('redis-server'), await pathOf('redis-cli'), options);
  await server.start();
  return server;
}

/** Fails over about 2 seconds after the master is gone. */
export async function startRedisSentinels(options: RedisOptions = {}): Promise<RedisSentinels> {
  const started: RedisServer[] = [];
  try {
    return await startedSentinels(options, started);
  } catch (error) {
    await Promise.all(started.map((each) => each.close()));
    throw error;
  }
}

/** `started`: what runs by then, to be closed where the rest does not come. */
async function startedSentinels(options: RedisOptions, started: RedisServer[]): Promise<RedisSentinels> {
  const first = await startRedis(options);
  started.push(first);
  const replicaOf = [...(options.config ?? []), `replicaof 127.0.0.1 ${first.port}`, 'repl-diskless-sync-delay 0'];
  const second = await startRedis({ ...options, config: replicaOf });
  started.push(second);
  await eventually(() => second.command('INFO', 'replication').includes('master_link_status:up'), {
    what: 'the replica is in step',
  });
  const config = [
    `sentinel monitor ${masterName} 127.0.0.1 ${first.port} 2`,
    `sentinel down-after-milliseconds ${masterName} 1000`,
    `sentinel failover-timeout ${masterName} 3000`,
    `sentinel parallel-syncs ${masterName} 1`,
    ...(options.password === undefined ? [] : [`sentinel auth-pass ${masterName} ${JSON.stringify(options.password)}`]),
    ...(options.sentinelPassword === undefined ? [] : [`requirepass ${JSON.stringify(options.sentinelPassword)}`]),
  ];
  const start = async (): Promise<RedisProcess> => {
    const sentinel = new RedisProcess(
      await pathOf('redis-server'),
      await pathOf('redis-cli'),
      { config, ...(options.sentinelPassword === undefined ? {} : { password: options.sentinelPassword }) },
      '--sentinel',
    );
    started.push(sentinel);
    await sentinel.start();
    return sentinel;
  };
  const sentinels = [await start(), await start(), await start()];
  await eventually(
    () => sentinels.every((each) => /num-other-sentinels\n2\n/.test(each.command('SENTINEL', 'master', masterName))),
    { what: 'the Sentinels know each other' },
  );
  await eventually(
    () =>
      sentinels.every((each) => each.command('SENTINEL', 'replicas', masterName).includes('master-link-status\nok')),
    {
      what: 'the Sentinels know the replica',
      withinMs: 15_000,
    },
  );
  const master = (): RedisServer => {
    const port = Number(sentinels[0]?.command('SENTINEL', 'get-master-addr-by-name', masterName).split('\n')[1]);
    return port === second.port ? second : first;
  };
  return {
    url: `redis+sentinel://${credentialsOf(options)}${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${masterName}${options.sentinelPassword === undefined ? '' : `?sentinelPassword=${encodeURIComponent(options.sentinelPassword)}`}`,
    master,
    replica: () => (master() === first ? second : first),
    close: async () => {
      await Promise.all([...sentinels, first, second].map((each) => each.close()));
    },
  };
}

/** With replicas, one takes over about 3 seconds after its master is gone. */
export async function startRedisCluster(options: RedisOptions & { replicas?: number } = {}): Promise<RedisCluster> {
  const { replicas = 0 } = options;
  const config = [...(options.config ?? []), 'cluster-enabled yes', 'cluster-node-timeout 2000'];
  const servers: RedisServer[] = [];
  try {
    // Its bus would listen at the port + 10000, among those that systems hand out by themselves.
    while (servers.length < 3 * (1 + replicas)) {
      servers.push(await startRedis({ ...options, config: [...config, `cluster-port ${await freePort()}`] }));
    }
  } catch (error) {
    await Promise.all(servers.map((each) => each.close()));
    throw error;
  }
  const [first] = servers;
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
  first?.command('--cluster', 'create', ...addresses, '--cluster-replicas', String(replicas), '--cluster-yes');
  const isWhole = (each: RedisServer): boolean =>
    each.command('CLUSTER', 'INFO').includes('cluster_state:ok') &&
    !each.command('INFO', 'replication').includes('master_link_status:down');
  await eventually(() => servers.every(isWhole), { what: 'the Cluster is whole', withinMs: 30_000 });
  const members = (): ClusterMember[] =>
    clusterMembers(servers.find(({ isRunning }) => isRunning)?.command('CLUSTER', 'NODES') ?? '');
  const serverAt = (port: number): RedisServer => {
    const server = servers.find((each) => each.port === port);
    if (server === undefined) throw new Error(`no server of the Cluster has port ${port}`);
    return server;
  };
  return {
    url: `redis+cluster://${credentialsOf(options)}${addresses.join(',')}`,
    servers,
    masterOf: (key) => {
      const slot = Number(servers.find(({ isRunning }) => isRunning)?.command('CLUSTER', 'KEYSLOT', key));
      const owner = members().find(({ slots }) => slots.some(([from, to]) => from <= slot && slot <= to));
      return serverAt(owner?.port ?? 0);
    },
    replicasOf: ({ port }) => {
      const known = members();
      const id = known.find((each) => each.port === port)?.id;
      return known.filter(({ masterId }) => masterId === id).map((each) => serverAt(each.port));
    },
    close: async () => {
      await Promise.all(servers.map((each) => each.close()));
    },
  };
}

interface ClusterMember {
  readonly id: string;
  readonly port: number;
  /** Of whom it is a copy; `-` for a master. */
  readonly masterId: string;
  /** From and to, inclusive. */
  readonly slots: readonly (readonly [number, number])[];
}

/** The answer to CLUSTER NODES: a line each, `id address flags master ping pong epoch link slots…`. */
function clusterMembers(answer: string): ClusterMember[] {
  return answer
    .trim()
    .split('\n')
    .map((line) => {
      const [id = '', address = '', , masterId = '', , , , , ...ranges] = line.split(' ');
      const port = Number(/:(\d+)/.exec(address)?.[1]);
      const slots = ranges
        .filter((range) => /^\d/.test(range))
        .map((range): [number, number] => {
          const [from = '', to = from] = range.split('-');
          return [Number(from), Number(to)];
        });
      return { id, port, masterId, slots };
    });
}

function credentialsOf({ password }: RedisOptions): string {
  return password === undefined ? '' : `:${encodeURIComponent(password)}@`;
}

async function pathOf(name: string): Promise<string> {
  const service = await requireService(name);
  if ('skip' in service) throw new Error(service.skip);
  return service.path;
}

class RedisProcess implements RedisServer {
  port = 0;
  readonly #program: string;
  readonly #cli: string;
  readonly #options: RedisOptions;
  readonly #mode: string | undefined;
  #folder = '';
  #child: ChildProcess | undefined;
  #said = '';

  constructor(program: string, cli: string, options: RedisOptions, mode?: '--sentinel') {
    this.#program = program;
    this.#cli = cli;
    this.#options = options;
    this.#mode = mode;
  }

  get url(): string {
    return `redis://${credentialsOf(this.#options)}127.0.0.1:${this.port}`;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async start(): Promise<void> {
    this.port = await freePort();
    this.#folder = await mkdtemp(join(tmpdir(), 'tutti-redis-'));
    await writeFile(join(this.#folder, 'redis.conf'), this.#config());
    await this.restart();
  }

  async restart(): Promise<void> {
    if (this.isRunning) throw new Error('redis runs already: kill it first');
    const args = [join(this.#folder, 'redis.conf'), ...(this.#mode === undefined ? [] : [this.#mode])];
    const child = spawn(this.#program, args, {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: this.#options.ownGroup === true,
    });
    this.#child = child;
    const note = (text: Buffer): void => {
      this.#said = (this.#said + text.toString()).slice(-4_096);
    };
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    await eventually(
      async () => {
        if (!this.isRunning) throw new Error(`redis-server ended:\n${this.#said}`);
        return (await this.#answers()) && !this.#isLoading();
      },
      { what: 'redis answers', withinMs: startMsMax },
    );
  }

  command(...args: string[]): string {
    const { password } = this.#options;
    const auth = password === undefined ? [] : ['--no-auth-warning', '-a', password];
    const { stdout, status } = spawnSync(this.#cli, ['-p', String(this.port), ...auth, ...args], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    if (status !== 0) throw new Error(`redis-cli ${args[0]} failed: ${stdout}`);
    return stdout;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #config(): string {
    const { persistence = 'everysec', password, config = [] } = this.#options;
    const lines = [`port ${this.port}`, 'bind 127.0.0.1', `dir ${this.#folder}`, 'protected-mode no'];
    if (this.#mode === undefined) {
      lines.push('save ""', `appendonly ${persistence === 'none' ? 'no' : 'yes'}`);
      if (persistence !== 'none') lines.push(`appendfsync ${persistence}`);
      if (password !== undefined)
        lines.push(`requirepass ${JSON.stringify(password)}`, `masterauth ${JSON.stringify(password)}`);
    }
    return `${[...lines, ...config].join('\n')}\n`;
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1');
      socket.once('error', () => resolve(false));
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
    });
  }

  #isLoading(): boolean {
    return this.#mode === undefined && /^loading:1/m.test(this.command('INFO', 'persistence'));
  }
}
