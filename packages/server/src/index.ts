/** Embedding a node in a program of your own. `@tutti/server/internal` has what siblings need besides. */
export { createServer } from './wiring.ts';
export type { ServerHistory, ServerOptions, ServerPublishOptions, ServerPublishResult, TuttiServer } from './server.ts';
export * from './config/index.ts';
export type { Reached } from './core/cluster-directory.ts';
export type { DrainProgress, DrainReport } from './core/drain.ts';
export { Fault } from './core/fault.ts';
export { PositionConflict } from './broker/broker.ts';
export { PinoLog, type LogOptions } from './telemetry/pino-log.ts';
export type { Log } from './telemetry/telemetry.ts';
export { version } from './version.ts';
export { replayWebhooks, type WebhookReplay } from './wiring/webhooks.ts';
