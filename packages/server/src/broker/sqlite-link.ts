import { Worker } from 'node:worker_threads';
import { Fault } from '../core/fault.ts';
import type { Answer, Opened, Request, TurnDone, WorkerStart } from './sqlite-messages.ts';

/** Starts the thread. Tests keep hold of it, to end it at a bad moment. */
export type Launch = (start: WorkerStart) => Worker;

export interface LinkEvents {
  opened(opened: Opened): void;
  done(done: TurnDone): void;
  /** Once, however the thread ended; nothing comes after it. Without a fault: it was asked to close. */
  ended(fault: Fault | undefined): void;
}

/** One life of the log's worker thread, as the main side sees it. */
export class LogLink {
  readonly #worker: Worker;
  #fault: Fault | undefined;
  #isClosing = false;

  constructor(start: WorkerStart, events: LinkEvents, launch: Launch = launchWorker) {
    this.#worker = launch(start);
    this.#worker.on('message', (answer: Answer) => {
      if (answer.kind === 'opened') events.opened(answer);
      else if (answer.kind === 'turn') events.done(answer);
      else this.#fault = new Fault('broker', answer.fault.message, { retryable: answer.fault.retryable });
    });
    this.#worker.on('error', (cause: unknown) => (this.#fault ??= crashed(cause)));
    this.#worker.on('messageerror', (cause: unknown) => (this.#fault ??= crashed(cause)));
    this.#worker.on('exit', (code) => {
      const isClean = this.#isClosing && code === 0 && this.#fault === undefined;
      events.ended(isClean ? undefined : (this.#fault ?? crashed(`exit code ${code}`)));
    });
  }

  /** Requests sent before the database is open wait in the thread's port. */
  send(request: Request): void {
    if (request.kind === 'turn') {
      this.#worker.postMessage(request, [request.payloads.buffer as ArrayBuffer]);
      return;
    }
    this.#isClosing = true;
    this.#worker.postMessage(request);
  }
}

function launchWorker(start: WorkerStart): Worker {
  const file = import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js';
  return new Worker(new URL(file, import.meta.url), { workerData: start });
}

function crashed(cause: unknown): Fault {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new Fault('broker', `the log's thread ended: ${what}; the outcome is unknown`, { retryable: true, cause });
}
