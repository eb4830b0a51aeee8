import type { MessagePort, Transferable } from 'node:worker_threads';
import { Fault } from '../core/fault.ts';
import type { LogEngine } from './sqlite-engine.ts';
import { isFaultData, type Answer, type Request, type TurnDone } from './sqlite-messages.ts';

/**
 * The worker's side of the conversation: answers requests in order, and lets the thread end with
 * `close`, or with the first failure after which the log cannot be believed. `open` throws `Fault`.
 */
export function serveLog(port: MessagePort, open: () => LogEngine): void {
  let isOver = false;
  const answer = (message: Answer, transfer: Transferable[] = []): void => port.postMessage(message, transfer);
  /** Undefined: it failed, that was told, and nothing more will be answered. */
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      answer({ kind: 'refused', fault: { message: error.message, retryable: error.retryable } });
      isOver = true;
      port.close();
      return undefined;
    }
  };
  const engine = attempt(open);
  if (engine === undefined) return;
  answer(engine.opened);
  port.on('message', (request: Request) => {
    if (isOver) return;
    if (request.kind === 'turn') {
      const done = attempt(() => engine.run(request));
      if (done !== undefined) answer(done, buffers(done));
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
