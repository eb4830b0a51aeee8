import { parentPort, workerData, type MessagePort, type Transferable } from 'node:worker_threads';
import { Fault } from '../core/fault.ts';
import { LogEngine } from './sqlite-engine.ts';
import { isFaultData, type Answer, type Request, type TurnDone, type WorkerStart } from './sqlite-messages.ts';

/** The thread that owns the database. It answers requests in order, and ends with `close`. */
function serve(port: MessagePort, start: WorkerStart): void {
  const engine = new LogEngine(start);
  const answer = (message: Answer, transfer: Transferable[] = []): void => port.postMessage(message, transfer);
  try {
    answer(engine.open());
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    answer({ kind: 'refused', fault: { message: error.message, retryable: error.retryable } });
    return;
  }
  port.on('message', (request: Request) => {
    if (request.kind === 'turn') {
      const done = engine.run(request);
      answer(done, buffers(done));
      return;
    }
    engine.close();
    port.close();
  });
}

/** What is handed over in place of being copied. */
function buffers(done: TurnDone): Transferable[] {
  const transfer: Transferable[] = isFaultData(done.outcomes) ? [] : [done.outcomes.buffer as ArrayBuffer];
  for (const page of done.pages) {
    if (!isFaultData(page)) for (const [, , data] of page.rows) transfer.push(data.buffer as ArrayBuffer);
  }
  return transfer;
}

if (parentPort !== null) serve(parentPort, workerData as WorkerStart);
