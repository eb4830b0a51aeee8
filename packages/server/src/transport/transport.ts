import type { Codec, DisconnectKind } from '@tutti/protocol';

/**
 * How bytes reach peers. Every implementation passes testkit's `transportConformance`.
 */
export interface Transport {
  readonly name: string;
  /** Begins to accept. `accept` is called once for each connection that is open and well-formed. */
  listen(accept: (connection: Connection) => ConnectionHandler): void;
  /** Stops accepting; open connections stay until they are closed. */
  close(): Promise<void>;
}

/**
 * Bytes of one frame, shared by every connection that gets the same. The slots are the transports':
 * the same bytes with the framing of each around them, made once (rule 2 of the hot path).
 */
export interface OutboundFrame {
  readonly bytes: Uint8Array;
  readonly binary: boolean;
  /** As a WebSocket message. */
  wire?: Uint8Array;
  /** As a server-sent event. */
  event?: Uint8Array;
  /** As lines of an HTTP stream. */
  lines?: Uint8Array;
}

/** One live link. Small: no timer and no closure of its own. */
export interface Connection {
  readonly transport: string;
  readonly codec: Codec;
  /** As the peer's kernel, or a configured proxy, told it. */
  readonly remoteAddress: string;
  /** Of the request that opened it, those that hooks are shown, by lower-case name. Absent: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Where the peer cannot talk back on this link: by what its requests name it. Who knows it is
   * believed to be the peer, so it is told to the peer alone, and never logged.
   */
  readonly session?: string;
  /** The peer only listens: nothing is asked of it, not even pongs. */
  readonly isOneWay?: boolean;
  /** Present where marks are pings of the protocol: the answers are among the commands, and the session takes them in. */
  readonly protocolPings?: ProtocolPings;
  /** It ends with the first thing it has to tell, and another follows: its session is nobody's presence. */
  readonly isBrief?: boolean;
  /** Hands over whole frames, in order, in one write. Never blocks, never throws; nothing after close. */
  send(frames: readonly OutboundFrame[]): void;
  /**
   * Asks to be told when the peer has taken everything sent so far: `confirmed` follows, in order. A
   * transport whose peers cannot answer takes the kernel's word for it.
   */
  mark(): void;
  /**
   * Reads nothing from the peer for so long, so that its own network holds it back. What was read
   * already still arrives. A longer hold replaces a shorter one; closing ends it.
   */
  hold(ms: number): void;
  /** Says why, lets queued bytes leave, then ends; terminates by itself when the peer does not follow. */
  close(kind: DisconnectKind, detail?: string): void;
  /** Ends at once. */
  terminate(): void;
  /** Bytes handed over and not yet confirmed; what no mark follows counts as on its way. */
  readonly inFlight: number;
}

/** Marks that are pings of the protocol. */
export interface ProtocolPings {
  /** How many are on their way. */
  readonly waiting: number;
  /** The peer was told to answer them: marks asked for before leave now, others when they are asked for. */
  begin(ping: OutboundFrame): void;
  /** The peer answered one: `confirmed` has followed when it returns. False: nothing had been asked. */
  answered(): boolean;
}

/** What a connection calls: the session. Methods never throw, and `closed` comes exactly once, last. */
export interface ConnectionHandler {
  receive(frame: Uint8Array): void;
  /**
   * A mark came back; `roundTripMs` after it left, or undefined where only the kernel took it.
   * `aheadBytes`: how many were in flight before it when it left.
   */
  confirmed(roundTripMs: number | undefined, aheadBytes: number): void;
  closed(reason: ClosedReason): void;
}

export interface ClosedReason {
  readonly code: number;
  readonly reason: string;
  /** True: the peer, or the network, ended it; false: we did. */
  readonly byPeer: boolean;
}

/** Says whether the node takes another connection now. Asked before anything of a request is looked at (CON-2). */
export interface Admission {
  /** Undefined: yes, and it counts as taken. Costs next to nothing, never throws. */
  admit(): Refusal | undefined;
  /** The connection just admitted came to nothing: it was malformed, or not allowed. */
  giveBack(): void;
}

/** Says whether an address may connect now (S9, S21). Asked before anything of a request but its address is looked at. */
export interface AddressPace {
  /** Undefined: it may, and it counts. Costs next to nothing, never throws. */
  admit(address: string): AddressRefusal | undefined;
}

export interface AddressRefusal {
  /** A word of the program, for the metrics. */
  readonly reason: string;
  /** For the peer. */
  readonly message: string;
  /** When there is room for one of this address again. */
  readonly retryAfterMs: number;
}

export interface Refusal {
  /** A word of the program, for the metrics. */
  readonly reason: string;
  /** When to come back: different for each, so that those refused do not return together. */
  readonly retryAfterMs: number;
}

/** Why a request to upgrade, or to open a stream, is refused. Whoever owns the HTTP server answers it and ends the connection (S4). */
export interface UpgradeRefusal {
  readonly status: number;
  /** For the peer; says what to do. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}
