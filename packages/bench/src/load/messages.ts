import type { SparseHistogram } from '../measure/histogram.ts';
import type { Address } from './raw-connection.ts';

/** Where the load goes, and what a client says there once its WebSocket is open. */
export interface LoadTarget extends Address {
  /** Absent: a server that takes whoever opens a WebSocket, and sends every message to all. */
  readonly tutti?: {
    readonly secret: string;
    /** Subscribed by every connection. Absent: connected is enough. */
    readonly channel?: string;
  };
}

export interface ConnectRequest {
  readonly do: 'connect';
  readonly target: LoadTarget;
  readonly count: number;
  /** Number of the first; users and source addresses follow from it. */
  readonly firstIndex: number;
  /** Handshakes under way at once. */
  readonly atOnce: number;
}

export interface PublishRequest {
  readonly do: 'publish';
  readonly channel: string;
  readonly payloadBytes: number;
  /** Publications that wait for their answer at once, over all connections. */
  readonly window: number;
  readonly ms: number;
}

/** Forgets what was received before. Answered once `deliveries` have come since, or `timeoutMs` has passed. */
export interface ExpectRequest {
  readonly do: 'expect';
  readonly deliveries: number;
  readonly timeoutMs: number;
}

/** From a bench to its load processes. One at a time. */
export type LoadRequest = ConnectRequest | PublishRequest | ExpectRequest | { readonly do: 'reset' };

export interface Received {
  readonly deliveries: number;
  /** Payload bytes of the frames that carried them, and how many those were. */
  readonly bytes: number;
  readonly frames: number;
  /** Microseconds from sending a publication to each of its deliveries. */
  readonly latency: SparseHistogram;
  /** For each publication: its number, and microseconds until it reached the last subscriber here. */
  readonly lasts: readonly (readonly [number: number, microseconds: number])[];
}

export interface Published {
  readonly accepted: number;
  readonly ms: number;
  /** Microseconds from command to answer. */
  readonly latency: SparseHistogram;
}

export type LoadReply =
  | { readonly done: 'connect'; readonly ms: number }
  | { readonly done: 'reset' }
  | { readonly done: 'expect'; readonly received: Received }
  | { readonly done: 'publish'; readonly published: Published }
  | { readonly failed: string };
