import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './spawn-node.ts';

export interface NatsClusterOptions {
  /** The program, as `requireService('nats-server')` found it. */
  readonly program: string;
  /** 1: a server by itself. */
  readonly servers?: number;
  /** Written into each server's `jetstream` block. */
  readonly jetstream?: string;
  /** Written at the end of each server's configuration. */
  readonly extra?: string;
  /** False: no server runs yet. */
  readonly started?: boolean;
  /** Ctrl-C in the terminal is not for them: whoever started them ends them, after what uses them. */
  readonly ownGroup?: boolean;
}

/** NATS servers with JetStream, in processes of their own on 127.0.0.1, their data in a temporary folder. */
export interface NatsCluster {
  readonly servers: readonly NatsServer[];
  /** `nats://127.0.0.1:1,nats://127.0.0.1:2`, as the setting `engine` takes it. */
  readonly url: string;
  /** Name of the server that leads a stream; undefined while there is none. */
  leaderOf(stream: string): Promise<NatsServer | undefined>;
  /** A server that leads the stream with the most messages, of those that hold channels. */
  anyLeader(): Promise<NatsServer | undefined>;
  /** All that were stopped, and waits until JetStream answers. */
  start(): Promise<void>;
  close(): Promise<void>;
}

const startMsMax = 20_000;

export async function startNatsCluster(options: NatsClusterOptions): Promise<NatsCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'tutti-nats-'));
  const count = options.servers ?? 1;
  const ports = await Promise.all(Array.from({ length: count }, () => freePorts()));
  const routes = ports.map(({ route }) => `nats://127.0.0.1:${route}`);
  const servers = ports.map((own, i) => {
    const text = configuration(`n${i + 1}`, own, join(folder, `n${i + 1}`), count > 1 ? routes : [], options);
    return new NatsServer(options.program, `n${i + 1}`, own, join(folder, `n${i + 1}.conf`), text, options.ownGroup);
  });
  const start = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.start()));
    await eventually(
      async () => {
        const healthy = await Promise.all(servers.map((server) => server.isHealthy()));
        return healthy.every(Boolean);
      },
      { what: 'JetStream answers', withinMs: startMsMax },
    );
  };
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.kill()));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    if (options.started !== false) await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    servers,
    url: servers.map(({ url }) => url).join(','),
    start,
    close,
    leaderOf: async (stream) => {
      const found = (await streamsOf(servers)).find(({ name }) => name === stream);
      return servers.find(({ name }) => name === found?.cluster?.leader);
    },
    anyLeader: async () => {
      const led = (await streamsOf(servers)).filter(({ cluster }) => (cluster?.leader ?? '') !== '');
      const [busiest] = led.toSorted((a, b) => (b.state?.messages ?? 0) - (a.state?.messages ?? 0));
      return servers.find(({ name }) => name === busiest?.cluster?.leader);
    },
  };
}

interface Ports {
  readonly client: number;
  readonly route: number;
  readonly monitor: number;
}

async function freePorts(): Promise<Ports> {
  const [client, route, monitor] = [await freePort(), await freePort(), await freePort()];
  return new Set([client, route, monitor]).size === 3 ? { client, route, monitor } : freePorts();
}

function configuration(
  name: string,
  { client, route, monitor }: Ports,
  store: string,
  routes: readonly string[],
  { jetstream = '', extra = '' }: NatsClusterOptions,
): string {
  const cluster = `cluster { name: tutti-test, listen: "127.0.0.1:${route}", routes: [${routes.map((url) => JSON.stringify(url)).join(', ')}] }`;
  return `
server_name: ${name}
listen: "127.0.0.1:${client}"
http: "127.0.0.1:${monitor}"
jetstream { store_dir: ${JSON.stringify(store)}, max_mem: 64MB, max_file: 2GB
${jetstream}
}
${routes.length > 0 ? cluster : ''}
${extra}
`;
}

/** One server. All its ways to fail may be tried. */
export class NatsServer {
  readonly name: string;
  readonly port: number;
  readonly url: string;
  readonly #program: string;
  readonly #monitor: string;
  readonly #file: string;
  readonly #text: string;
  readonly #hasOwnGroup: boolean;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(program: string, name: string, ports: Ports, file: string, text: string, hasOwnGroup = false) {
    this.name = name;
    this.port = ports.client;
    this.url = `nats://127.0.0.1:${ports.client}`;
    this.#program = program;
    this.#monitor = `http://127.0.0.1:${ports.monitor}`;
    this.#file = file;
    this.#text = text;
    this.#hasOwnGroup = hasOwnGroup;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it takes connections. Does nothing where it runs. */
  async start(): Promise<void> {
    if (this.isRunning) return;
    await writeFile(this.#file, this.#text);
    const child = spawn(this.#program, ['-c', this.#file], { stdio: 'ignore', detached: this.#hasOwnGroup });
    this.#child = child;
    this.#exited = once(child, 'exit');
    await eventually(() => this.#answers(), { what: `${this.name} takes connections`, withinMs: startMsMax });
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    // One that is paused would not notice anything else.
    if (this.isRunning) this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** SIGSTOP: its connections stay, and nobody answers on them. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** It is part of its cluster and its streams are current. Never rejects. */
  async isHealthy(): Promise<boolean> {
    return (await this.#ask('/healthz'))?.['status'] === 'ok';
  }

  /** Resident memory of its process. Throws where it does not answer. */
  async memoryBytes(): Promise<number> {
    const bytes = (await this.#ask('/varz'))?.['mem'];
    if (typeof bytes !== 'number') throw new Error(`${this.name} does not tell its memory`);
    return bytes;
  }

  /** Its streams, as far as it knows of them. Never rejects. */
  async streams(): Promise<readonly StreamDetail[]> {
    const answer = (await this.#ask('/jsz?streams=true')) as JszAnswer | undefined;
    return answer?.account_details?.flatMap(({ stream_detail: each = [] }) => each) ?? [];
  }

  async #ask(path: string): Promise<Record<string, unknown> | undefined> {
    if (!this.isRunning) return undefined;
    try {
      const response = await fetch(this.#monitor + path, { signal: AbortSignal.timeout(1_000) });
      return (await response.json()) as Record<string, unknown>;
    } catch {
      return undefined;
    }
  }

  async #answers(): Promise<boolean> {
    const socket = connect(this.port, '127.0.0.1');
    try {
      // It speaks first. Whoever else may have its port might not.
      await once(socket, 'data', { signal: AbortSignal.timeout(1_000) });
      return true;
    } finally {
      socket.destroy();
    }
  }
}

interface JszAnswer {
  readonly account_details?: readonly { readonly stream_detail?: readonly StreamDetail[] }[];
}

export interface StreamDetail {
  readonly name: string;
  readonly state?: { readonly messages?: number };
  readonly cluster?: { readonly leader?: string };
}

/** As every running server tells them. */
async function streamsOf(servers: readonly NatsServer[]): Promise<StreamDetail[]> {
  return (await Promise.all(servers.map((server) => server.streams()))).flat();
}
