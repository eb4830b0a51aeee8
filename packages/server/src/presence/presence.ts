import type { ClientInfo } from '@tutti/protocol';

/**
 * Who is in a channel, over all nodes. One member per connection; `user` tells whose it is.
 * Every implementation passes testkit's `presenceConformance`.
 */
export interface Presence {
  /** Called once, first. Joins and leaves on all nodes go to `events`. */
  start(events: PresenceEvents): Promise<void>;
  /**
   * Adding the same member again replaces its info and is no second join. Calls take effect in the order in
   * which they were made, even when not awaited: an `add` and the `remove` behind it never change places.
   */
  add(channel: string, member: ClientInfo): Promise<void>;
  /** Of a member of this node. Removing an absent one is nothing, and no leave. */
  remove(channel: string, client: string): Promise<void>;
  members(channel: string): Promise<readonly ClientInfo[]>;
  /** Part of a long list, in the order of client ids. */
  page(channel: string, query: MemberQuery): Promise<MemberPage>;
  /** Without listing anybody. */
  stats(channel: string): Promise<PresenceStats>;
  /** This node's members leave, as far as the others can still be told. */
  close(): Promise<void>;
}

export interface MemberQuery {
  /** The last client id of the page before; empty for the first. */
  readonly after: string;
  readonly limit: number;
}

export interface MemberPage {
  readonly members: readonly ClientInfo[];
  readonly hasMore: boolean;
}

export interface PresenceStats {
  readonly clients: number;
  readonly users: number;
}

export interface PresenceEvents {
  /** `isFirst`: no other connection of the user was in the channel, on any node. Never throws. */
  join(channel: string, member: ClientInfo, isFirst: boolean): void;
  /** `isLast`: none is left. Never throws. */
  leave(channel: string, member: ClientInfo, isLast: boolean): void;
}
