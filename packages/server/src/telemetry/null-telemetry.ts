import type { Log, Telemetry } from './telemetry.ts';

export const nullLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** For tests, and for whoever embeds a node and wants silence. */
export const nullTelemetry: Telemetry = { log: nullLog, count() {}, observe() {} };
