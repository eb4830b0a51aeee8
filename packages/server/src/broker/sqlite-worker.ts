import { parentPort, workerData } from 'node:worker_threads';
import { LogEngine } from './sqlite-engine.ts';
import type { WorkerStart } from './sqlite-messages.ts';
import { serveLog } from './sqlite-serve.ts';

/** The thread that owns the database. */
if (parentPort !== null) serveLog(parentPort, () => new LogEngine(workerData as WorkerStart));
