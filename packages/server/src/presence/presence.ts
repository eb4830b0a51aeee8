import type { ClientInfo } from '@tutti/protocol';

/**
 * Who is in a channel, over all nodes. One member per connection; `user` tells whose it is.
 * Every implementation passes testkit's `presenceConformance`.
 */
export interface Presence {
  /** Called once, first. Joins and leaves of channels with members or watchers on this node go to `events`. */
  start(events: PresenceEvents): Promise<void>;
  /** Adding the same member again replaces its info and is no second join. */
  add(channel: string, member: ClientInfo): Promise<void>;
  /** Removing an absent member is nothing, and no leave. */
  remove(channel: string, client: string): Promise<void>;
  members(channel: string): Promise<readonly ClientInfo[]>;
  stats(channel: string): Promise<{ clients: number; users: number }>;
  close(): Promise<void>;
}

export interface PresenceEvents {
  /** Never throw. */
  join(channel: string, member: ClientInfo): void;
  leave(channel: string, member: ClientInfo): void;
}
