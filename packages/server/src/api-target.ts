import { Rejection, rejections, unsubscribes } from '@tutti/protocol';
import type { ApiNode, ApiTarget } from './api/index.ts';
import type { Namespaces } from './config/namespaces.ts';
import { channelWithin, isTenantName } from './config/tenant.ts';
import { MessageFields } from './cluster/message-fields.ts';
import type { Peers } from './cluster/peers.ts';
import type { Clock } from './core/clock.ts';
import type { ClusterDirectory } from './core/cluster-directory.ts';
import { mustKeepLastSeen, type ClusterLastSeen } from './core/cluster-last-seen.ts';
import { fixedLimits } from './core/limits.ts';
import type { Node } from './core/node.ts';
import { rejectionOf } from './core/rejection-of.ts';
import type { Presence } from './presence/presence.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

export interface ApiTargetParts {
  readonly node: Node;
  /** Of the connections of all nodes. */
  readonly directory: ClusterDirectory;
  readonly peers: Peers;
  readonly namespaces: Namespaces;
  readonly presence: Presence;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly load: { loopLagMs(): number };
  /** Undefined: it is not kept. */
  readonly seen: ClusterLastSeen | undefined;
  readonly nodeName: string;
  readonly version: string;
  readonly historyPageMax: number;
  /** Empty: the node has no tenants. */
  readonly tenantClaim: string;
}

/** The topic of the nodes' figures. */
const nodesTopic = 'figures';

/** A node, as the server API sees it: the operator's own space, until `within` says another. */
export function apiTarget(parts: ApiTargetParts): ApiTarget {
  const startedMs = parts.clock.monotonic();
  const cpuAtStart = process.cpuUsage();
  const here = (): ApiNode => nodeFacts(parts, startedMs, cpuAtStart);
  const { peers } = parts;
  peers.answer(nodesTopic, () => undefined, here);
  return targetWithin('', parts, async () => {
    const { answers, silent } = await peers.survey(nodesTopic, {}, readNodeFacts);
    const others = answers.map(({ answer }) => answer).sort((a, b) => (a.name < b.name ? -1 : 1));
    return { nodes: [here(), ...others], silent };
  });
}

// long on purpose: one short line a method, and nothing to follow.
function targetWithin(tenant: string, parts: ApiTargetParts, info: ApiTarget['info']): ApiTarget {
  const { node, directory, namespaces, presence, seen, historyPageMax } = parts;
  const channelOf = (name: string): string => {
    namespaces.resolve(name);
    return channelWithin(tenant, name);
  };
  return {
    within: (asked) => targetWithin(checkedTenant(asked, parts), parts, info),
    namespaceOf: (name) => namespaces.resolve(name),
    publish: async (name, draft, { idempotencyKey, expected }) =>
      node.publish(
        name,
        draft,
        {
          ...(idempotencyKey === undefined ? {} : { idempotencyKey: applicationKey(idempotencyKey) }),
          ...(expected === undefined ? {} : { expected }),
        },
        tenant,
      ),
    history: (name, { limit, ...query }) =>
      node.history(
        name,
        {
          ...query,
          limit: limit < 0 ? historyPageMax : Math.min(limit, historyPageMax),
          bytesMax: fixedLimits.historyPageBytesMax,
        },
        tenant,
      ),
    removeHistory: (name) => node.removeHistory(name, tenant),
    presence: async (name, query) => {
      const channel = channelOf(name);
      const { presenceMembersMax } = fixedLimits;
      if (query !== undefined) {
        return presence.page(channel, { ...query, limit: Math.min(query.limit, presenceMembersMax) });
      }
      const { clients } = await presence.stats(channel);
      if (clients <= presenceMembersMax) return { members: await presence.members(channel), hasMore: false };
      const message = `more than ${presenceMembersMax} members: use presence_stats, or ask for pages with limit`;
      throw new Rejection(rejections.limitExceeded, message);
    },
    lastSeen: async (users) => mustKeepLastSeen(seen).of(tenant, users),
    forgetSeen: async (user) => mustKeepLastSeen(seen).forget(tenant, user),
    presenceStats: async (name) => presence.stats(channelOf(name)),
    subscribe: async (whose, name, wanted) => {
      namespaces.resolve(name);
      return directory.subscribe({ ...whose, tenant }, name, wanted);
    },
    unsubscribe: async (whose, name) => {
      namespaces.resolve(name);
      return directory.unsubscribe({ ...whose, tenant }, name, unsubscribes.server);
    },
    disconnect: (whose, kind, except) => directory.disconnect({ ...whose, tenant }, kind, except),
    refresh: (whose, expiresAtMs, shown) => directory.refresh({ ...whose, tenant }, expiresAtMs, shown),
    revoke: (wanted) => node.revocations.revoke({ ...wanted, tenant }),
    channels: (query, filter) => directory.channels(query, filter, tenant),
    connections: (query, user) => directory.connections(query, { tenant, ...(user === undefined ? {} : { user }) }),
    info,
    rejectionOf: (error) => rejectionFor(error, parts),
  };
}

function nodeFacts(
  { node, clock, load, nodeName: name, version }: ApiTargetParts,
  startedMs: number,
  cpuAtStart: NodeJS.CpuUsage,
): ApiNode {
  const uptimeMs = Math.max(1, clock.monotonic() - startedMs);
  const { connections, channels, subscriptions } = node.figures(0);
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage(cpuAtStart);
  return {
    ...{ name, version, uptimeSeconds: uptimeMs / 1_000 },
    ...{ connections, channels, subscriptions, users: node.directory.users },
    cpuPercent: Math.round(((user + system) / 1_000 / uptimeMs) * 1_000) / 10,
    ...{ rssBytes: rss, heapBytes: heapUsed, loopLagMs: Math.round(load.loopLagMs() * 10) / 10 },
  };
}

/** Throws `BadMessage`. */
function readNodeFacts(value: unknown): ApiNode {
  const fields = new MessageFields(value);
  return {
    ...{ name: fields.text('name'), version: fields.text('version') },
    ...{ uptimeSeconds: fields.number('uptimeSeconds'), cpuPercent: fields.number('cpuPercent') },
    ...{ connections: fields.count('connections'), users: fields.count('users') },
    ...{ channels: fields.count('channels'), subscriptions: fields.count('subscriptions') },
    ...{ rssBytes: fields.count('rssBytes'), heapBytes: fields.count('heapBytes') },
    loopLagMs: fields.number('loopLagMs'),
  };
}

function rejectionFor(error: unknown, { telemetry }: ApiTargetParts): Rejection {
  const rejection = rejectionOf(error, { telemetry });
  if (rejection !== undefined) return rejection;
  telemetry.count('bugs');
  telemetry.log.error({ error }, 'bug: this should be impossible; please report it');
  return new Rejection(rejections.internal);
}

/** A call that forgot its tenant must not quietly do nothing, or something else: it is told. */
function checkedTenant(tenant: string | undefined, { tenantClaim }: ApiTargetParts): string {
  const refuse = (message: string): Rejection => new Rejection(rejections.badRequest, message);
  if (tenantClaim === '') {
    if (tenant === undefined || tenant === '') return '';
    throw refuse('this node has no tenants: leave tenant out, or set the option tenantClaim');
  }
  if (tenant === undefined) throw refuse('this node has tenants: say which in tenant');
  if (tenant !== '' && !isTenantName(tenant))
    throw refuse('tenant must be 1 to 64 of the characters A-Z a-z 0-9 _ . -');
  return tenant;
}

/** The application's keys are its own: a user's key never meets them. */
export function applicationKey(idempotencyKey: string): string {
  return `a\n${idempotencyKey}`;
}
