/**
 * When users were last connected, to any node: kept for all nodes, over their restarts.
 *
 * A node writes who came and who left, many at once, and with each write that it lives itself. So a node that is
 * killed need write nothing: whoever it had was last seen when it last said that it lives (PRE-2).
 * Writing the same twice does no harm, and no order is needed between nodes: the later of two moments wins.
 * Every implementation passes testkit's `lastSeenConformance`.
 */
export interface LastSeen {
  /** Called once, before anything else. Throws `Fault` where waiting does not help. */
  start(): Promise<void>;

  /**
   * At most `seenChangesMax` changes. When it resolves, every `read` begun from then on, on any node, has them; but
   * where the store has copies, one that lags may answer for a moment with what was before. Throws `Fault`, within
   * seconds: then any part of it may be kept.
   */
  write(batch: SeenBatch): Promise<void>;

  /** In the order of `users`, at most `seenReadMax` of them; undefined: nothing is kept of that user. Throws `Fault`, within seconds. */
  read(users: readonly UserName[]): Promise<readonly (SeenEntry | undefined)[]>;

  /** Nothing is kept of the user any more. Throws `Fault`. */
  forget(user: UserName): Promise<void>;

  close(): Promise<void>;
}

/** Never the empty user: those without a name are nobody. */
export interface UserName {
  /** Empty: none. */
  readonly tenant: string;
  readonly user: string;
}

export interface SeenChange extends UserName {
  /** The user's first connection to the node came; else the last one went. */
  readonly isHere: boolean;
  /** When, milliseconds since 1970 by the node's clock. */
  readonly atMs: number;
}

export interface SeenBatch {
  /** Of one process: one that is started again is another. Of the characters A-Z a-z 0-9 _ and -. */
  readonly node: string;
  /** The node lives at this moment, milliseconds since 1970. */
  readonly aliveAtMs: number;
  /** Each user once. */
  readonly changes: readonly SeenChange[];
}

export interface SeenEntry {
  /** The latest moment that was written: of a coming or a going. */
  readonly atMs: number;
  /** Where the user came and did not leave, as far as was written; and when that node last said that it lives. */
  readonly nodes: readonly { readonly node: string; readonly aliveAtMs: number }[];
}

export interface LastSeenBounds {
  /** A user of whom nothing was written for so long is forgotten, and so is a node. */
  readonly ttlMs: number;
  /** Most users. Beyond it those are forgotten of whom nothing was written for longest. */
  readonly usersMax: number;
}

/** Changes in one write. */
export const seenChangesMax = 500;
/** Users in one read. */
export const seenReadMax = 1_000;

/** Two users with the same key are one. No tenant has a line break in its name. */
export function userKey({ tenant, user }: UserName): string {
  return `${tenant}\n${user}`;
}
