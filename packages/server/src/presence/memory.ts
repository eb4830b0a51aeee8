import type { ClientInfo } from '@tutti/protocol';
import type { Presence, PresenceEvents } from './presence.ts';

/** Presence of one node, in memory. Bound: one entry for each subscription of a live connection. */
export class MemoryPresence implements Presence {
  readonly #channels = new Map<string, Members>();
  #events: PresenceEvents = { join: () => undefined, leave: () => undefined };

  start(events: PresenceEvents): Promise<void> {
    this.#events = events;
    return Promise.resolve();
  }

  add(channel: string, member: ClientInfo): Promise<void> {
    let members = this.#channels.get(channel);
    if (members === undefined) {
      members = new Members();
      this.#channels.set(channel, members);
    }
    if (members.add(member)) this.#events.join(channel, member);
    return Promise.resolve();
  }

  remove(channel: string, client: string): Promise<void> {
    const members = this.#channels.get(channel);
    const member = members?.remove(client);
    if (members?.size === 0) this.#channels.delete(channel);
    if (member !== undefined) this.#events.leave(channel, member);
    return Promise.resolve();
  }

  members(channel: string): Promise<readonly ClientInfo[]> {
    return Promise.resolve(this.#channels.get(channel)?.list() ?? []);
  }

  stats(channel: string): Promise<{ clients: number; users: number }> {
    const members = this.#channels.get(channel);
    return Promise.resolve({ clients: members?.size ?? 0, users: members?.users ?? 0 });
  }

  close(): Promise<void> {
    this.#channels.clear();
    return Promise.resolve();
  }
}

/** Members of one channel; users are counted as they come and go, so that counting needs no list. */
class Members {
  readonly #byClient = new Map<string, ClientInfo>();
  readonly #connectionsOf = new Map<string, number>();

  get size(): number {
    return this.#byClient.size;
  }

  get users(): number {
    return this.#connectionsOf.size;
  }

  /** False: was a member already. */
  add(member: ClientInfo): boolean {
    const before = this.remove(member.client);
    this.#byClient.set(member.client, member);
    this.#connectionsOf.set(member.user, (this.#connectionsOf.get(member.user) ?? 0) + 1);
    return before === undefined;
  }

  remove(client: string): ClientInfo | undefined {
    const member = this.#byClient.get(client);
    if (member === undefined) return undefined;
    this.#byClient.delete(client);
    const left = (this.#connectionsOf.get(member.user) ?? 1) - 1;
    if (left === 0) this.#connectionsOf.delete(member.user);
    else this.#connectionsOf.set(member.user, left);
    return member;
  }

  list(): readonly ClientInfo[] {
    return [...this.#byClient.values()];
  }
}
