import { Worker } from 'node:worker_threads';
import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { LastSeen, LastSeenBounds, SeenBatch, SeenEntry, UserName } from './last-seen.ts';
import type { Answer, Question, WorkerStart } from './sqlite-messages.ts';

export interface SqliteLastSeenOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly bounds: LastSeenBounds;
  readonly log?: Log;
}

type Asked = PromiseWithResolvers<readonly (SeenEntry | undefined)[]>;
/** What is asked, without the time. */
type Ask = Question extends infer Each ? (Each extends Question ? Omit<Each, 'nowMs'> : never) : never;

/** One thread, and what waits for it, in the order of its answers. */
interface Thread {
  readonly worker: Worker;
  readonly asked: Asked[];
  why: string;
}

/** Questions that wait for the thread. */
const askedMax = 1_000;
const closeMsMax = 5_000;

/**
 * In the data folder (`last-seen.db`), in a thread of its own: users come and go at any time, and a disk that is slow to
 * take it must not hold up the others. A kill costs nothing that was written, a power failure the last seconds.
 */
export class SqliteLastSeen implements LastSeen {
  readonly #options: SqliteLastSeenOptions;
  #thread: Thread | undefined;
  #isClosed = false;

  constructor(options: SqliteLastSeenOptions) {
    this.#options = options;
  }

  /** A file that cannot be opened does not keep the node from starting: calls try again, and say why. */
  async start(): Promise<void> {
    const opened = this.#launch().asked[0]?.promise;
    await opened?.catch((error: unknown) => {
      this.#options.log?.error({ seam: 'last-seen', error }, 'last seen cannot be kept; trying again');
    });
  }

  async write(batch: SeenBatch): Promise<void> {
    await this.#ask({ kind: 'write', batch });
  }

  read(users: readonly UserName[]): Promise<readonly (SeenEntry | undefined)[]> {
    return this.#ask({ kind: 'read', users });
  }

  async forget(user: UserName): Promise<void> {
    await this.#ask({ kind: 'forget', user });
  }

  /** A disk that hangs must not keep the node from stopping. */
  async close(): Promise<void> {
    const thread = this.#thread;
    const closed = thread === undefined ? undefined : this.#ask({ kind: 'close' });
    this.#isClosed = true;
    const timer = this.#options.clock.after(closeMsMax, () => void thread?.worker.terminate());
    await closed?.finally(() => timer.cancel());
  }

  async #ask(ask: Ask): Promise<readonly (SeenEntry | undefined)[]> {
    if (this.#isClosed) throw this.#fault('it is closed');
    const thread = this.#thread ?? this.#launch();
    if (thread.asked.length >= askedMax) throw this.#fault('the disk does not keep up');
    const next = nextOf(thread);
    thread.worker.postMessage({ ...ask, nowMs: this.#options.clock.now() } satisfies Question);
    return next.promise;
  }

  /** Its first answer is that of opening the file. */
  #launch(): Thread {
    const { dataDir, bounds } = this.#options;
    const file = import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js';
    const workerData: WorkerStart = { dataDir, bounds };
    const worker = new Worker(new URL(file, import.meta.url), { workerData });
    const thread: Thread = { worker, asked: [], why: 'its thread has ended' };
    this.#thread = thread;
    worker.on('message', (answer: Answer) => this.#answered(thread, answer));
    worker.on('error', (error) => (thread.why = error instanceof Error ? error.message : String(error)));
    worker.on('exit', () => {
      if (this.#thread === thread) this.#thread = undefined;
      for (const { reject } of thread.asked.splice(0)) reject(this.#fault(thread.why));
    });
    // Whoever asks gets the same reason.
    nextOf(thread).promise.catch(() => undefined);
    return thread;
  }

  #answered(thread: Thread, answer: Answer): void {
    const asked = thread.asked.shift();
    if (thread.asked.length === 0) thread.worker.unref();
    if (answer.ok) {
      asked?.resolve(answer.entries);
      return;
    }
    thread.why = answer.why;
    asked?.reject(this.#fault(answer.why));
  }

  #fault(why: string): Fault {
    return new Fault('last-seen', `last seen in ${this.#options.dataDir}: ${why}`, { retryable: true });
  }
}

function nextOf({ worker, asked }: Thread): Asked {
  const next: Asked = Promise.withResolvers();
  asked.push(next);
  // A process that is about to end waits for what it asked, and for nothing else of this.
  worker.ref();
  return next;
}
