import type { CounterName, HistogramName } from './telemetry.ts';

/** Ahead of every metric of the node itself. */
export const metricPrefix = 'tutti_';

/** The label that `count` is given. */
export interface MetricLabel {
  readonly name: string;
  /** What it may say, for readers. */
  readonly values: string;
  /** Values that are shown before anything was counted: an alert on the first of a kind needs a zero before it. */
  readonly known?: readonly string[];
}

export interface CounterMetric {
  readonly help: string;
  /** Name of the metric, where several counters are one; else the counter's own. */
  readonly metric?: string;
  readonly label?: MetricLabel;
  /** Which part of `metric` this counter is. */
  readonly part?: Readonly<Record<string, string>>;
}

export interface HistogramMetric {
  readonly help: string;
  readonly metric: string;
  /** From the unit of the observations to the metric's: Prometheus counts time in seconds. */
  readonly scale: number;
  readonly buckets: readonly number[];
}

export interface GaugeMetric {
  readonly help: string;
}

const webhook = { name: 'webhook', values: 'the name of a configured webhook' };
const namespaces = { name: 'namespace', values: 'a configured namespace' };

/** Every counter of `Telemetry`; the metric's name ends in `_total`. */
export const counterMetrics: Readonly<Record<CounterName, CounterMetric>> = {
  connections_opened: { help: 'Connections that were taken.' },
  connections_closed: {
    help: 'Connections that ended, by reason.',
    label: {
      name: 'reason',
      values:
        '`peer` (or the network), `shutdown`, `slow`, `no_pong`, `reconnect` (another reason to come back), `refused` (for good)',
      known: ['peer', 'shutdown', 'slow', 'no_pong', 'reconnect', 'refused'],
    },
  },
  handshakes_refused: {
    help: 'Requests to upgrade, or for a stream, that were refused before anybody authenticated, by reason.',
    label: {
      name: 'reason',
      values:
        '`rate`, `handshakes`, `loop_lag`, `memory`, `draining`, `connections`, `address`, `relays` (all 503), `address_rate`, `bad_tokens` (429), `origin` (403), `malformed`',
      known: [
        ...['rate', 'handshakes', 'loop_lag', 'memory', 'draining', 'connections', 'address', 'relays'],
        ...['address_rate', 'bad_tokens', 'origin', 'malformed'],
      ],
    },
  },
  tokens_refused: {
    help: 'Tokens that were malformed or not by a configured key, by what they were for; and those not looked at, because too many such came from their address.',
    label: {
      name: 'reason',
      values: '`connect`, `refresh`, `subscribe` (bad ones), `address` (not looked at)',
      known: ['connect', 'refresh', 'subscribe', 'address'],
    },
  },
  connections_held: {
    help: 'Times that a connection was read later, because it sent faster than `commandRateMax` or `receivedBytesRateMax`.',
  },
  commands_received: {
    help: 'Commands of clients, by method.',
    label: { name: 'method', values: 'a method of the protocol' },
  },
  commands_rejected: {
    help: 'Commands that were answered with an error, by its code.',
    label: { name: 'code', values: 'a code of [errors](../spec/errors.md)' },
  },
  commands_limited: {
    help: 'Commands that were refused with error 111, because there were too many, by limit.',
    label: {
      name: 'limit',
      values: '`publish`, `subscribe`, `read` (of a connection), `user` (of all its connections)',
      known: ['publish', 'subscribe', 'read', 'user'],
    },
  },
  frames_received: { help: 'Messages from peers: frames, each with one or more commands.' },
  frames_sent: { help: 'Messages to peers: frames, each with one or more replies or pushes.' },
  bytes_received: { help: 'Bytes of frames from peers.' },
  bytes_sent: { help: 'Bytes of frames handed to the network.' },
  publications_accepted: {
    help: 'Publications that were appended, or fanned out where nothing is kept.',
    label: namespaces,
  },
  publications_received: {
    help: 'Live publications that the broker has handed to this node: of channels with a subscriber here, and of no others.',
  },
  publications_delivered: { help: 'Publications put into the queues of connections.' },
  publications_conflated: {
    help: 'Publications of which a queue kept a newer one in their place.',
    label: namespaces,
  },
  publications_dropped: { help: 'Publications for which a queue had no room.', label: namespaces },
  poll_publications_dropped: {
    help: 'Publications of channels without history for which an answer to a poll had no room.',
  },
  subscriptions_fell_behind: {
    help: 'Subscriptions whose live delivery stopped at the bound of a queue, to be fed from the log.',
  },
  recoveries: {
    help: 'Recoveries of subscriptions, by result.',
    metric: 'recoveries',
    part: { result: 'recovered' },
  },
  recoveries_failed: {
    help: 'Recoveries of subscriptions, by result.',
    metric: 'recoveries',
    part: { result: 'failed' },
  },
  gaps_repaired: { help: 'Gaps between publications of the broker that were filled from the log.' },
  sessions_revoked: { help: 'Connections that ended because their user, token or session was revoked.' },
  revocation_reads_failed: { help: 'Times that the list of revocations could not be read.' },
  last_seen_written: { help: 'Times that it was kept of a user to have come or gone.' },
  last_seen_writes_failed: { help: 'Times that last seen could not be written; it is tried again.' },
  last_seen_lost: {
    help: 'Users of whom it could not be kept that they came or went: too many waited, or the node stopped.',
  },
  slow_disconnects: { help: 'Connections that ended because they read too slowly.' },
  api_requests: {
    help: 'Requests to the server API that a method was asked with, by key.',
    label: { name: 'key', values: 'the name of a configured key' },
  },
  api_refused: {
    help: 'Requests to the server API that were refused before a method was asked, by reason.',
    label: {
      name: 'reason',
      values:
        '`key` (401), `right`, `closed` (403), `method` (404, 405), `type` (415), `body` (400), `size` (413), `rate` (too many with this key), `guesses` (too many unknown keys of this address, both 429), `busy` (503)',
      known: ['key', 'right', 'closed', 'method', 'type', 'body', 'size', 'rate', 'guesses', 'busy'],
    },
  },
  api_rejected: {
    help: 'Requests to the server API that a method answered with an error, by its code.',
    label: { name: 'code', values: 'a code of [errors](../spec/errors.md)' },
  },
  control_messages_sent: {
    help: 'Messages to other nodes, besides publications, by topic. One to all nodes counts once.',
    label: { name: 'topic', values: 'a word of the program' },
  },
  control_messages_received: {
    help: 'Messages of other nodes, besides publications, by topic.',
    label: { name: 'topic', values: 'a word of the program' },
  },
  control_messages_refused: {
    help: 'Messages on the bus between nodes that were not acted on, by reason.',
    label: {
      name: 'reason',
      values:
        '`signature` (another `clusterSecret`, or none), `version`, `size`, `form`, `sequence` (seen before), `ended` (of a node that said good-bye), `full` (more nodes than any cluster has)',
      known: ['signature', 'version', 'size', 'form', 'sequence', 'ended', 'full'],
    },
  },
  hook_calls_ok: hookCalls('ok'),
  hook_calls_refused: hookCalls('refused'),
  hook_calls_timeout: hookCalls('timeout'),
  hook_calls_failed: hookCalls('failed'),
  hook_calls_skipped: hookCalls('skipped'),
  hook_calls_busy: hookCalls('busy'),
  webhook_events: { help: 'Events for a webhook.', label: webhook },
  webhook_events_delivered: { help: 'Events that a webhook has taken.', label: webhook },
  webhook_events_dead: {
    help: 'Events that a webhook was not given, and that the file of dead letters has, by reason.',
    label: {
      name: 'reason',
      values:
        '`overflow` (the queue was full), `gave_up` (it failed for `webhookRetryTime`), `refused` (the receiver answered 400, 413 or 422)',
      known: ['overflow', 'gave_up', 'refused'],
    },
  },
  webhook_events_lost: {
    help: 'Events that a webhook was not given, and that could not be written to the file of dead letters.',
  },
  webhook_requests: {
    help: 'Requests to webhooks, by outcome.',
    label: {
      name: 'outcome',
      values:
        '`delivered`, `address` (a forbidden one), `network`, `timeout`, `redirect`, `status` (neither 2xx nor a redirect)',
      known: ['delivered', 'address', 'network', 'timeout', 'redirect', 'status'],
    },
  },
  bugs: { help: 'Things that should be impossible. Please report them.' },
};

function hookCalls(outcome: string): CounterMetric {
  return {
    help: 'Calls of hooks, by hook and outcome; `refused`: the application said no, `skipped`: its circuit breaker is open, `busy`: too many were under way.',
    metric: 'hook_calls',
    part: { outcome },
    label: { name: 'hook', values: '`connect`, `refresh`, `subscribe`, `subRefresh`, `publish`, `rpc`' },
  };
}

const bytes = [0, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];

/** Every distribution of `Telemetry`. */
export const histogramMetrics: Readonly<Record<HistogramName, HistogramMetric>> = {
  ping_round_trip_ms: {
    help: 'From a ping to its pong, seconds.',
    metric: 'ping_round_trip_seconds',
    scale: 0.001,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  queue_bytes: {
    help: 'Bytes that wait in the queue of a connection, sampled.',
    metric: 'queue_bytes',
    scale: 1,
    buckets: bytes,
  },
  in_flight_bytes: {
    help: 'Bytes of a connection handed to the network and not yet confirmed, sampled.',
    metric: 'in_flight_bytes',
    scale: 1,
    buckets: bytes,
  },
  hook_ms: {
    help: 'From asking a hook to its answer, or to giving it up, seconds.',
    metric: 'hook_seconds',
    scale: 0.001,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  flush_ms: {
    help: 'Duration of a flush of all connections with output, seconds.',
    metric: 'flush_seconds',
    scale: 0.001,
    buckets: [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  },
};

/** What is read when the metrics are asked for. */
export const gaugeMetrics = {
  connections: { help: 'Open connections.' },
  connections_unauthenticated: { help: 'Open connections that did not authenticate yet.' },
  channels: { help: 'Channels with a subscriber on this node.' },
  subscriptions: { help: 'Subscriptions on this node.' },
  loop_lag_seconds: { help: 'How late the event loop is, smoothed.' },
  memory_share: { help: 'Memory in use, of what the process may use; 1 is all of it.' },
  nodes: { help: 'Nodes of the cluster that this one knows to live, itself included.' },
  last_seen_waiting: { help: 'Users of whom it is not written yet that they came or went.' },
  webhook_queue_events: { help: 'Events that wait for webhooks, all together.' },
  webhook_queue_bytes: { help: 'Bytes of the events that wait for webhooks, all together.' },
  webhook_oldest_seconds: { help: 'How long the event that has waited longest for its webhook has been waiting.' },
  ready: { help: '1 while the node is ready for new connections.' },
  draining: { help: '1 from the request to stop.' },
  drain_connections: { help: 'Connections there were when the drain began.' },
  drain_connections_left: { help: 'Connections that the drain has still to close.' },
  hook_breakers_open: { help: 'HTTP hooks that are not asked now, or tried once, because they failed too often.' },
  drain_closes_per_second: { help: 'Most connections that the drain closes in a second.' },
} as const satisfies Readonly<Record<string, GaugeMetric>>;

export type GaugeName = keyof typeof gaugeMetrics;

/** Of the process; names as in other exporters, without our prefix. */
export const processMetrics = {
  process_cpu_seconds_total: { help: 'Processor time used, seconds.', type: 'counter' },
  process_resident_memory_bytes: { help: 'Resident memory.', type: 'gauge' },
  process_start_time_seconds: { help: 'When the process started, seconds since 1970.', type: 'gauge' },
  nodejs_heap_size_used_bytes: { help: 'Heap in use.', type: 'gauge' },
  nodejs_heap_size_total_bytes: { help: 'Heap reserved.', type: 'gauge' },
  nodejs_external_memory_bytes: { help: 'Memory of buffers outside the heap.', type: 'gauge' },
} as const;

export type ProcessMetricName = keyof typeof processMetrics;

/** Name, version: always 1. */
export const infoMetric = { name: `${metricPrefix}info`, help: 'Always 1; says the name and version of the node.' };
