/** What happened, for operators. Never throws, never awaits. */
export interface Telemetry {
  readonly log: Log;
  /**
   * Adds to a counter that only grows. `label` says which part of it: the namespace of publications,
   * the method of a command, the reason of a refusal (metric-table.ts says which counter has which).
   * A label is a word of the program or of the configuration, never of a stranger: no channel, no user (S28).
   */
  count(name: CounterName, by?: number, label?: string): void;
  /** Adds one measurement to a distribution. For what is sampled or rare, not for each publication. */
  observe(name: HistogramName, value: number): void;
}

/** Counters of a node. Names follow the vocabulary; the metrics page prefixes `tutti_`. */
export type CounterName =
  | 'connections_opened'
  /** Label: who ended it, and with which advice (`closeFamily`). */
  | 'connections_closed'
  /** Label: the reason. */
  | 'handshakes_refused'
  /** Label: what the token was for, or that its address had sent too many. Those that expired do not count (S9). */
  | 'tokens_refused'
  /** A connection sent commands faster than allowed, and was read later (S21). */
  | 'connections_held'
  /** Label: the method. */
  | 'commands_received'
  /** Label: the code of the rejection. */
  | 'commands_rejected'
  /** Label: the limit. */
  | 'commands_limited'
  | 'frames_received'
  | 'frames_sent'
  | 'bytes_received'
  | 'bytes_sent'
  /** Label: the namespace. */
  | 'publications_accepted'
  /** Live ones, from the broker: also those that this node itself has appended. */
  | 'publications_received'
  | 'publications_delivered'
  /** Label: the namespace. Newer ones took their place in a queue (BP-6). */
  | 'publications_conflated'
  /** Label: the namespace. They found no room in a queue (BP-6). */
  | 'publications_dropped'
  | 'poll_publications_dropped'
  /** Live delivery stopped at the bound of a queue; the log feeds them when it has drained (BP-4). */
  | 'subscriptions_fell_behind'
  | 'recoveries'
  | 'recoveries_failed'
  | 'gaps_repaired'
  | 'slow_disconnects'
  | 'sessions_revoked'
  | 'revocation_reads_failed'
  /** Users of whom it was kept that they came or went. */
  | 'last_seen_written'
  | 'last_seen_writes_failed'
  | 'last_seen_lost'
  /** Label: the name of the key. */
  | 'api_requests'
  /** Label: the reason. */
  | 'api_refused'
  /** Label: the code of the rejection. */
  | 'api_rejected'
  /** Label: the topic. To one node, or to all. */
  | 'control_messages_sent'
  /** Label: the topic. */
  | 'control_messages_received'
  /** Label: the reason. */
  | 'control_messages_refused'
  /** Label: the hook. One counter for each way in which a call comes out. */
  | `hook_calls_${'ok' | 'refused' | 'timeout' | 'failed' | 'skipped' | 'busy'}`
  /** Label: the name of the webhook. */
  | 'webhook_events'
  /** Label: the name of the webhook. */
  | 'webhook_events_delivered'
  /** Label: the reason. They are in the file of dead letters. */
  | 'webhook_events_dead'
  /** Neither delivered nor kept. */
  | 'webhook_events_lost'
  /** Label: the outcome. */
  | 'webhook_requests'
  | 'bugs';

/** Distributions of a node. The unit ends the name. */
export type HistogramName = 'ping_round_trip_ms' | 'queue_bytes' | 'in_flight_bytes' | 'flush_ms' | 'hook_ms';

/** Structured log lines; secrets, payloads and tokens never go in (S29). */
export interface Log {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}
