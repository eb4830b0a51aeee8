/** What happened, for operators. Never throws, never awaits. */
export interface Telemetry {
  readonly log: Log;
  /** Adds to a counter that only grows. */
  count(name: CounterName, by?: number): void;
}

/** Counters of a node. Names follow the vocabulary; the metrics page prefixes `tutti_`. */
export type CounterName =
  | 'connections_opened'
  | 'connections_closed'
  | 'commands_received'
  | 'commands_rejected'
  | 'bytes_received'
  | 'bytes_sent'
  | 'publications_accepted'
  | 'publications_delivered'
  | 'recoveries'
  | 'recoveries_failed'
  | 'gaps_repaired'
  | 'slow_disconnects'
  | 'bugs';

/** Structured log lines; secrets, payloads and tokens never go in (S29). */
export interface Log {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}
