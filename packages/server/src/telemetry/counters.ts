import { nullLog } from './null-telemetry.ts';
import type { CounterName, Log, Telemetry } from './telemetry.ts';

/** Labels of one counter. They come from the program and the configuration, so only a mistake meets this bound. */
const labelsMax = 256;
const otherLabels = 'other';

/** Totals since the process started, in plain numbers: adding to one costs no more than a field. */
export class Counters implements Telemetry {
  readonly log: Log;
  readonly #totals: Record<CounterName, number> = {
    connections_opened: 0,
    connections_closed: 0,
    handshakes_refused: 0,
    tokens_refused: 0,
    connections_held: 0,
    commands_received: 0,
    commands_rejected: 0,
    commands_limited: 0,
    frames_received: 0,
    frames_sent: 0,
    bytes_received: 0,
    bytes_sent: 0,
    publications_accepted: 0,
    publications_received: 0,
    publications_delivered: 0,
    publications_conflated: 0,
    publications_dropped: 0,
    poll_publications_dropped: 0,
    subscriptions_fell_behind: 0,
    recoveries: 0,
    recoveries_failed: 0,
    gaps_repaired: 0,
    slow_disconnects: 0,
    sessions_revoked: 0,
    revocation_reads_failed: 0,
    last_seen_written: 0,
    last_seen_writes_failed: 0,
    last_seen_lost: 0,
    api_requests: 0,
    api_refused: 0,
    api_rejected: 0,
    control_messages_sent: 0,
    control_messages_received: 0,
    control_messages_refused: 0,
    hook_calls_ok: 0,
    hook_calls_refused: 0,
    hook_calls_timeout: 0,
    hook_calls_failed: 0,
    hook_calls_skipped: 0,
    hook_calls_busy: 0,
    webhook_events: 0,
    webhook_events_delivered: 0,
    webhook_events_dead: 0,
    webhook_events_lost: 0,
    webhook_requests: 0,
    bugs: 0,
  };
  /** Parts of the totals. */
  readonly #labelled = new Map<CounterName, Map<string, number>>();

  constructor(log: Log = nullLog) {
    this.log = log;
  }

  count(name: CounterName, by = 1, label?: string): void {
    this.#totals[name] += by;
    if (label !== undefined) this.#countLabel(name, by, label);
  }

  /** Distributions are not kept here. */
  observe(): void {}

  /** A copy: it does not change any more. */
  snapshot(): Readonly<Record<CounterName, number>> {
    return { ...this.#totals };
  }

  /** What was counted with labels; the total may be more than their sum. */
  labelled(name: CounterName): ReadonlyMap<string, number> {
    return this.#labelled.get(name) ?? new Map<string, number>();
  }

  #countLabel(name: CounterName, by: number, label: string): void {
    let parts = this.#labelled.get(name);
    if (parts === undefined) this.#labelled.set(name, (parts = new Map<string, number>()));
    const known = parts.has(label) || parts.size < labelsMax ? label : otherLabels;
    parts.set(known, (parts.get(known) ?? 0) + by);
  }
}
