import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openFilesMax } from '../measure/process-usage.ts';
import type { LoadReply, LoadRequest, LoadTarget, Published, PublishRequest, Received } from './messages.ts';
import { connectionsMax } from './source-address.ts';

const program = fileURLToPath(new URL('./load-process.ts', import.meta.url));
/** Files a process has open besides its sockets. */
const filesBesides = 200;
const perProcessMax = 15_000;

export interface FleetOptions {
  readonly connections: number;
  readonly target: LoadTarget;
  /** Load processes; more where one cannot hold them all. */
  readonly processes?: number;
  /** Handshakes under way at once, over all. */
  readonly atOnce?: number;
  /** Number of the first, where others are connected already. */
  readonly firstIndex?: number;
}

/** Clients in processes of their own, so that the measured process is measured alone. */
export class Fleet {
  readonly connections: number;
  /** Time that making the connections took, in the process where it took longest. */
  connectMs = 0;
  readonly #processes: readonly ChildProcess[];
  readonly #shares: readonly number[];

  private constructor(processes: readonly ChildProcess[], shares: readonly number[]) {
    this.#processes = processes;
    this.#shares = shares;
    this.connections = shares.reduce((sum, share) => sum + share, 0);
  }

  /** Resolves when all are connected and subscribed; rejects, leaving nothing behind, where one is not. */
  static async connect(options: FleetOptions): Promise<Fleet> {
    const { connections, target, processes = 1, atOnce = 100 } = options;
    let { firstIndex = 0 } = options;
    checkOpenFiles(firstIndex + connections);
    const count = Math.max(processes, Math.ceil(connections / perProcessMax));
    const shares = Array.from({ length: count }, (_, i) => Math.floor((connections + i) / count));
    // `execArgv` empty: flags that this process was started with are not for those.
    const children = shares.map(() => fork(program, { execArgv: [] }));
    const fleet = new Fleet(children, shares);
    try {
      const each = Math.max(1, Math.floor(atOnce / count));
      const asked = children.map((child, i) => {
        const request = { do: 'connect', target, count: shares[i] ?? 0, firstIndex, atOnce: each } as const;
        firstIndex += shares[i] ?? 0;
        return ask(child, request);
      });
      for (const reply of await Promise.all(asked)) {
        if ('done' in reply && reply.done === 'connect') fleet.connectMs = Math.max(fleet.connectMs, reply.ms);
      }
      return fleet;
    } catch (error) {
      await fleet.close();
      throw error;
    }
  }

  async reset(): Promise<void> {
    await this.#all(() => ({ do: 'reset' }));
  }

  /** Resolves once every connection has had so many publications since the last reset. */
  async expect(publications: number, timeoutMs: number): Promise<Received[]> {
    const replies = await this.#all((share) => ({ do: 'expect', deliveries: share * publications, timeoutMs }));
    return replies.map((reply) => {
      if (!('done' in reply) || reply.done !== 'expect') throw new Error('a load process answered something else');
      return reply.received;
    });
  }

  async publish(request: PublishRequest): Promise<Published[]> {
    const replies = await this.#all(() => request);
    return replies.map((reply) => {
      if (!('done' in reply) || reply.done !== 'publish') throw new Error('a load process answered something else');
      return reply.published;
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map(end));
  }

  #all(request: (share: number) => LoadRequest): Promise<LoadReply[]> {
    return Promise.all(this.#processes.map((child, i) => ask(child, request(this.#shares[i] ?? 0))));
  }
}

function ask(child: ChildProcess, request: LoadRequest): Promise<LoadReply> {
  return new Promise((resolve, reject) => {
    const exited = (code: number | null): void => reject(new Error(`a load process ended with ${String(code)}`));
    child.once('exit', exited);
    child.once('message', (reply: LoadReply) => {
      child.off('exit', exited);
      if ('failed' in reply) reject(new Error(reply.failed));
      else resolve(reply);
    });
    child.send(request);
  });
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGKILL');
  return gone;
}

function checkOpenFiles(connections: number): void {
  if (connections > connectionsMax) throw new Error(`at most ${connectionsMax} connections can be made from here`);
  const most = openFilesMax() - filesBesides;
  if (connections <= most) return;
  throw new Error(
    `${connections} connections are more than the server process may have open (${most}); raise it with: ulimit -n`,
  );
}
