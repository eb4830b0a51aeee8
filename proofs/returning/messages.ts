import type { Address } from '@tutti/bench/load/raw-connection';

/** `sdk`: the back-off of our SDK. `fixed`: one second, always, as hand-written clients have it. */
export type BackoffKind = 'sdk' | 'fixed';

export interface FillRequest {
  readonly do: 'fill';
  readonly target: Address;
  readonly secret: string;
  /** Number of the first client; users, channels and source addresses follow from it. */
  readonly firstIndex: number;
  readonly count: number;
  readonly perSecond: number;
  /** Clients subscribe to `<namespace>:<number modulo channels>`. */
  readonly namespace: string;
  readonly channels: number;
}

/** Begins a curve at `atUs` of the machine's monotonic clock; with `cut`, every connection is reset then. */
export interface BeginRequest {
  readonly do: 'begin';
  readonly atUs: number;
  readonly backoff: BackoffKind;
  readonly cut: boolean;
}

/** Compares what clients saw with the tops of the channels. */
export interface CheckRequest {
  readonly do: 'check';
  readonly tops: Readonly<Record<string, number>>;
}

export type FleetRequest = FillRequest | BeginRequest | CheckRequest | { readonly do: 'state' };

/** Events counted by quarters of a second since the beginning of the curve. */
export interface Curve {
  /** Connections that were opened: status 101. */
  readonly accepted: number[];
  /** Refused with 503. */
  readonly refused: number[];
  /** Attempts that ended otherwise: nobody listened, reset, no answer in time. */
  readonly failed: number[];
  /** Clients whose connect and subscribe were answered. */
  readonly back: number[];
  /** Open connections that ended. */
  readonly lost: number[];
}

export interface FleetState {
  readonly ready: number;
  readonly curve: Curve;
  /** Microseconds after the beginning until the last client was back; 0 where nobody was away. */
  readonly lastBackUs: number;
  /** Attempts given up here because no answer came in time: the server may count them otherwise. */
  readonly timedOut: number;
  readonly troubles: Readonly<Record<string, number>>;
}

/** What clients saw of their channels, since they first subscribed. */
export interface Sequences {
  readonly publications: number;
  /** Clients that have not seen the top yet. */
  readonly behind: number;
  readonly holes: number;
  readonly duplicates: number;
  /** Returns that were told of a gap. */
  readonly gaps: number;
  readonly recoveries: number;
  /** Of a sample of clients: channel, offset and number of each publication. */
  readonly sample: readonly (readonly [channel: string, offset: number, number: number])[];
}

export type FleetReply =
  | { readonly done: 'ok' }
  | { readonly done: 'state'; readonly state: FleetState }
  | { readonly done: 'check'; readonly sequences: Sequences }
  | { readonly failed: string };

export const quarterUs = 250_000;
