/**
 * Where one tenant's channels are kept apart from another's (S11, docs/decisions/0009).
 *
 * A client of tenant `acme` says `chat:general`; broker, hub and presence know that channel as
 * `acme*chat:general`. Only these functions put a tenant into a name or take it out, and no name that
 * comes from outside may contain `*` (`canonicalChannel`), so nobody can say the name of another's channel.
 * Without tenants, and for the operator's own space, the two names are the same.
 */
const mark = '*';

/** Names a tenant may have; empty: none, which is the operator's own space. */
const tenantPattern = /^[A-Za-z0-9_.-]{1,64}$/;

export function isTenantName(name: string): boolean {
  return tenantPattern.test(name);
}

/** The channel that `name` means within a tenant. `name` is canonical, `tenant` a tenant's name or empty. */
export function channelWithin(tenant: string, name: string): string {
  return tenant === '' ? name : `${tenant}${mark}${name}`;
}

/** What clients of its tenant call a channel. */
export function wireName(channel: string): string {
  const end = channel.indexOf(mark);
  return end < 0 ? channel : channel.slice(end + 1);
}

/** Whose channel it is; empty: nobody's in particular. */
export function tenantOf(channel: string): string {
  const end = channel.indexOf(mark);
  return end < 0 ? '' : channel.slice(0, end);
}
