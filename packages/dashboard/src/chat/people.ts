import type { Member } from '../live.ts';

export interface Person {
  readonly user: string;
  /** Connections of this user in the room. */
  readonly devices: number;
}

/** Members by connection id. Replaced, never changed. */
export type Members = ReadonlyMap<string, string>;

export function membersFrom(members: readonly Member[]): Members {
  return new Map(members.map((member) => [member.client, member.user]));
}

export function joined(members: Members, member: Member): Members {
  if (members.get(member.client) === member.user) return members;
  return new Map(members).set(member.client, member.user);
}

export function left(members: Members, member: Member): Members {
  if (!members.has(member.client)) return members;
  const next = new Map(members);
  next.delete(member.client);
  return next;
}

/** PRE-2: one entry a user with the number of devices; oneself first, then by name. */
export function peopleOf(members: Members, me: string): Person[] {
  const devices = new Map<string, number>();
  for (const user of members.values()) devices.set(user, (devices.get(user) ?? 0) + 1);
  return [...devices]
    .map(([user, count]) => ({ user, devices: count }))
    .sort((a, b) => Number(b.user === me) - Number(a.user === me) || a.user.localeCompare(b.user, 'en'));
}
