import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import type { SeenEntry } from './last-seen.ts';
import { LastSeenDatabase } from './sqlite-database.ts';
import type { Answer, Question, WorkerStart } from './sqlite-messages.ts';

/** The thread that owns the file. */
if (parentPort !== null) serve(parentPort, workerData as WorkerStart);

function serve(port: MessagePort, { dataDir, bounds }: WorkerStart): void {
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      port.postMessage({ ok: false, why: error instanceof Error ? error.message : String(error) } satisfies Answer);
      return undefined;
    }
  };
  const database = attempt(() => new LastSeenDatabase(dataDir, bounds));
  if (database === undefined) return;
  const say = (answer: Answer): void => port.postMessage(answer);
  say({ ok: true, entries: [] });
  port.on('message', (question: Question) => {
    const entries = attempt(() => answerTo(database, question));
    if (entries !== undefined) say({ ok: true, entries });
    if (question.kind === 'close') port.close();
  });
}

function answerTo(database: LastSeenDatabase, question: Question): readonly (SeenEntry | undefined)[] {
  if (question.kind === 'read') return database.read(question.users, question.nowMs);
  if (question.kind === 'write') database.write(question.batch, question.nowMs);
  else if (question.kind === 'forget') database.remove(question.user);
  else database.close();
  return [];
}
