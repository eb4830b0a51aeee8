import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connectionsPerSource } from '@tutti/bench/load/source-address';
import { nowMicroseconds } from '@tutti/bench/load/timed-payload';
import { until } from '../waiting.ts';
import type { BackoffKind, Curve, FillRequest, FleetReply, FleetRequest, FleetState, Sequences } from './messages.ts';

const program = fileURLToPath(new URL('./returning-process.ts', import.meta.url));
const perProcess = 5_000;
const lookMs = 250;
/** Until the order to cut has reached every process. */
const orderUs = 200_000;

export type FleetFill = Omit<FillRequest, 'do' | 'firstIndex' | 'count'> & { readonly connections: number };

/** Thousands of clients that return whenever they are cut, in processes of their own, each from its own address. */
export class ReturningFleet {
  readonly connections: number;
  readonly #children: readonly ChildProcess[];

  private constructor(connections: number, children: readonly ChildProcess[]) {
    this.connections = connections;
    this.#children = children;
  }

  /** Resolves when all are connected and subscribed. */
  static async fill({ connections, perSecond, ...rest }: FleetFill, withinMs: number): Promise<ReturningFleet> {
    const count = Math.max(1, Math.ceil(connections / perProcess));
    const children = Array.from({ length: count }, () => fork(program, { execArgv: [] }));
    const fleet = new ReturningFleet(connections, children);
    try {
      await Promise.all(
        children.map((child, i) =>
          ask(child, {
            ...rest,
            do: 'fill',
            perSecond: perSecond / count,
            firstIndex: i * connectionsPerSource,
            count: Math.floor((connections + i) / count),
          }),
        ),
      );
      if (!(await fleet.allBack(withinMs))) {
        throw new Error(
          `not all clients connected in ${withinMs} ms: ${JSON.stringify((await fleet.state()).troubles)}`,
        );
      }
      return fleet;
    } catch (error) {
      fleet.close();
      throw error;
    }
  }

  /** Resets every connection at the same moment; a curve begins with it. */
  async cut(backoff: BackoffKind): Promise<void> {
    await this.#all({ do: 'begin', atUs: nowMicroseconds() + orderUs, backoff, cut: true });
    await until(async () => (await this.state()).ready < this.connections, 5_000);
  }

  /** A curve begins now, with whatever happens to the connections. */
  async begin(backoff: BackoffKind): Promise<void> {
    await this.#all({ do: 'begin', atUs: nowMicroseconds(), backoff, cut: false });
  }

  /** False where not all are connected and subscribed within the time. */
  allBack(withinMs: number, look: (state: FleetState) => void = () => undefined): Promise<boolean> {
    return until(
      async () => {
        const state = await this.state();
        look(state);
        return state.ready === this.connections;
      },
      withinMs,
      lookMs,
    );
  }

  async state(): Promise<FleetState> {
    const replies = await this.#all({ do: 'state' });
    const states = replies.map((reply) => {
      if (!('done' in reply) || reply.done !== 'state') throw new Error('a fleet process answered something else');
      return reply.state;
    });
    return {
      ready: total(states.map((state) => state.ready)),
      curve: sumCurves(states.map((state) => state.curve)),
      lastBackUs: Math.max(...states.map((state) => state.lastBackUs)),
      timedOut: total(states.map((state) => state.timedOut)),
      troubles: sumRecords(states.map((state) => state.troubles)),
    };
  }

  async check(tops: Readonly<Record<string, number>>): Promise<Sequences> {
    const replies = await this.#all({ do: 'check', tops });
    const parts = replies.map((reply) => {
      if (!('done' in reply) || reply.done !== 'check') throw new Error('a fleet process answered something else');
      return reply.sequences;
    });
    const sum = (what: Exclude<keyof Sequences, 'sample'>): number => total(parts.map((part) => part[what]));
    return {
      publications: sum('publications'),
      behind: sum('behind'),
      holes: sum('holes'),
      duplicates: sum('duplicates'),
      gaps: sum('gaps'),
      recoveries: sum('recoveries'),
      sample: parts.flatMap((part) => part.sample),
    };
  }

  /** Each process of it is alive. */
  get isWhole(): boolean {
    return this.#children.every((child) => child.exitCode === null && child.signalCode === null);
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }

  #all(request: FleetRequest): Promise<FleetReply[]> {
    return Promise.all(this.#children.map((child) => ask(child, request)));
  }
}

/** One question at a time: answers carry no number. */
async function ask(child: ChildProcess, request: FleetRequest): Promise<FleetReply> {
  const reply = await new Promise<FleetReply>((resolve, reject) => {
    const exited = (code: number | null): void => reject(new Error(`a fleet process ended with ${String(code)}`));
    child.once('exit', exited);
    child.once('message', (message: FleetReply) => {
      child.off('exit', exited);
      resolve(message);
    });
    child.send(request);
  });
  if ('failed' in reply) throw new Error(reply.failed);
  return reply;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function sumCurves(curves: readonly Curve[]): Curve {
  const add = (what: keyof Curve): number[] => {
    const length = Math.max(...curves.map((curve) => curve[what].length));
    return Array.from({ length }, (_, i) => total(curves.map((curve) => curve[what][i] ?? 0)));
  };
  return {
    accepted: add('accepted'),
    refused: add('refused'),
    failed: add('failed'),
    back: add('back'),
    lost: add('lost'),
  };
}

function sumRecords(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const [key, value] of records.flatMap((record) => Object.entries(record))) sum[key] = (sum[key] ?? 0) + value;
  return sum;
}
