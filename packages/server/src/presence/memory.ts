import type { ClientInfo } from '@tutti/protocol';
import { Members } from './members.ts';
import type { MemberPage, MemberQuery, Presence, PresenceEvents, PresenceStats } from './presence.ts';

const here = '';

/** Presence of one node, in memory. */
export class MemoryPresence implements Presence {
  readonly #members = new Members();

  start(events: PresenceEvents): Promise<void> {
    this.#members.events = events;
    return Promise.resolve();
  }

  add(channel: string, member: ClientInfo): Promise<void> {
    this.#members.add(channel, member, here);
    return Promise.resolve();
  }

  remove(channel: string, client: string): Promise<void> {
    this.#members.remove(channel, client, here);
    return Promise.resolve();
  }

  members(channel: string): Promise<readonly ClientInfo[]> {
    return Promise.resolve(this.#members.list(channel));
  }

  page(channel: string, query: MemberQuery): Promise<MemberPage> {
    return Promise.resolve(this.#members.page(channel, query));
  }

  stats(channel: string): Promise<PresenceStats> {
    return Promise.resolve(this.#members.stats(channel));
  }

  close(): Promise<void> {
    this.#members.clear();
    return Promise.resolve();
  }
}
