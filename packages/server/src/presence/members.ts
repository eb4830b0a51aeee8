import type { ClientInfo } from '@tutti/protocol';
import type { MemberPage, MemberQuery, PresenceEvents, PresenceStats } from './presence.ts';

/** A member, and which process has its connection. */
interface Entry {
  readonly member: ClientInfo;
  readonly owner: string;
}

const nobody: PresenceStats = { clients: 0, users: 0 };

/**
 * Members by channel, each with its owner. Users are counted as connections come and go, so that counting
 * needs no list. Bound: one entry for each subscription of a live connection.
 */
export class Members {
  readonly #channels = new Map<string, ChannelMembers>();
  events: PresenceEvents = { join: () => undefined, leave: () => undefined };

  add(channel: string, member: ClientInfo, owner: string): void {
    let members = this.#channels.get(channel);
    if (members === undefined) {
      members = new ChannelMembers();
      this.#channels.set(channel, members);
    }
    const isNew = members.remove(member.client) === undefined;
    const isFirst = members.add({ member, owner });
    if (isNew) this.events.join(channel, member, isFirst);
  }

  /** What another owner has by the same id stays. Returns the member that left. */
  remove(channel: string, client: string, owner: string): ClientInfo | undefined {
    const members = this.#channels.get(channel);
    if (members?.owner(client) !== owner) return undefined;
    const member = members.remove(client);
    if (member === undefined) return undefined;
    if (members.stats.clients === 0) this.#channels.delete(channel);
    this.events.leave(channel, member, !members.hasUser(member.user));
    return member;
  }

  get(channel: string, client: string, owner: string): ClientInfo | undefined {
    const members = this.#channels.get(channel);
    return members?.owner(client) === owner ? members.get(client) : undefined;
  }

  list(channel: string): readonly ClientInfo[] {
    return this.#channels.get(channel)?.list() ?? [];
  }

  page(channel: string, query: MemberQuery): MemberPage {
    return this.#channels.get(channel)?.page(query) ?? { members: [], hasMore: false };
  }

  stats(channel: string): PresenceStats {
    return this.#channels.get(channel)?.stats ?? nobody;
  }

  /** Every member of one owner, as they are now. */
  ownedBy(owner: string): { channel: string; member: ClientInfo }[] {
    const owned: { channel: string; member: ClientInfo }[] = [];
    for (const [channel, members] of this.#channels) members.ownedBy(owner, channel, owned);
    return owned;
  }

  clear(): void {
    this.#channels.clear();
  }
}

class ChannelMembers {
  readonly #byClient = new Map<string, Entry>();
  readonly #connectionsOf = new Map<string, number>();

  get stats(): PresenceStats {
    return { clients: this.#byClient.size, users: this.#connectionsOf.size };
  }

  owner(client: string): string | undefined {
    return this.#byClient.get(client)?.owner;
  }

  get(client: string): ClientInfo | undefined {
    return this.#byClient.get(client)?.member;
  }

  hasUser(user: string): boolean {
    return this.#connectionsOf.has(user);
  }

  /** True: the first connection of its user. */
  add(entry: Entry): boolean {
    const { user, client } = entry.member;
    this.#byClient.set(client, entry);
    const connections = (this.#connectionsOf.get(user) ?? 0) + 1;
    this.#connectionsOf.set(user, connections);
    return connections === 1;
  }

  remove(client: string): ClientInfo | undefined {
    const member = this.#byClient.get(client)?.member;
    if (member === undefined) return undefined;
    this.#byClient.delete(client);
    const left = (this.#connectionsOf.get(member.user) ?? 1) - 1;
    if (left === 0) this.#connectionsOf.delete(member.user);
    else this.#connectionsOf.set(member.user, left);
    return member;
  }

  list(): readonly ClientInfo[] {
    return [...this.#byClient.values()].map(({ member }) => member);
  }

  page({ after, limit }: MemberQuery): MemberPage {
    const clients = [...this.#byClient.keys()].filter((client) => client > after).sort();
    const members = clients.slice(0, limit).map((client) => (this.#byClient.get(client) as Entry).member);
    return { members, hasMore: clients.length > limit };
  }

  ownedBy(owner: string, channel: string, into: { channel: string; member: ClientInfo }[]): void {
    for (const entry of this.#byClient.values()) {
      if (entry.owner === owner) into.push({ channel, member: entry.member });
    }
  }
}
