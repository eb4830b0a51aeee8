import type { Presence } from '../presence/presence.ts';
import type { PublicationDraft } from '../broker/broker.ts';
import { channelWithin } from '../config/tenant.ts';
import { applicationKey } from '../api-target.ts';
import { fixedLimits } from '../core/limits.ts';
import type { ClusterDirectory } from '../core/cluster-directory.ts';
import { mustKeepLastSeen, type ClusterLastSeen } from '../core/cluster-last-seen.ts';
import type { Node } from '../core/node.ts';
import type { RevocationRequest } from '../core/revocations.ts';
import type { RevokedSubject, TenantFace } from '../server.ts';

export interface ApplicationFaceParts {
  readonly node: Node;
  /** Of the connections of all nodes. */
  readonly directory: ClusterDirectory;
  readonly presence: Presence;
  readonly historyPageMax: number;
  /** Undefined: it is not kept. */
  readonly lastSeen: ClusterLastSeen | undefined;
}

/** What the program that embeds a node may do with the channels and users of one tenant; empty: those of none. */
export function applicationFace(
  { node, directory, presence, historyPageMax, lastSeen }: ApplicationFaceParts,
  tenant: string,
): TenantFace {
  return {
    publish: async (channel, data, { idempotencyKey, expected, ...marks } = {}) => {
      const bytes = data instanceof Uint8Array ? data : Buffer.from(JSON.stringify(data) ?? 'null');
      const draft: PublicationDraft = { data: bytes, ...marks };
      const extras = {
        ...(idempotencyKey === undefined ? {} : { idempotencyKey: applicationKey(idempotencyKey) }),
        ...(expected === undefined ? {} : { expected }),
      };
      return node.publish(channel, draft, extras, tenant);
    },
    history: (channel, query = {}) => {
      const bounds = { limit: historyPageMax, bytesMax: fixedLimits.historyPageBytesMax };
      return node.history(channel, { ...bounds, ...query }, tenant);
    },
    presence: (channel) => presence.members(channelWithin(tenant, channel)),
    lastSeen: async (users) => {
      const { users: seen } = await mustKeepLastSeen(lastSeen).of(tenant, users);
      return seen.map(({ isOnline: online, lastSeenMs }) => ({
        online,
        ...(lastSeenMs === undefined ? {} : { lastSeen: lastSeenMs }),
      }));
    },
    disconnect: (user, kind) => directory.disconnect({ tenant, user }, kind),
    revoke: async (whom) => {
      await node.revocations.revoke({ tenant, ...requestOf(whom) });
    },
    unsubscribe: (user, channel, kind) => directory.unsubscribe({ tenant, user }, channel, kind),
  };
}

function requestOf(whom: RevokedSubject): Omit<RevocationRequest, 'tenant'> {
  if ('client' in whom) return { what: 'session', subject: whom.client };
  if ('user' in whom) {
    const { user: subject, issuedBefore } = whom;
    return { what: 'user', subject, ...(issuedBefore === undefined ? {} : { issuedBeforeMs: issuedBefore }) };
  }
  const { jti: subject, expires } = whom;
  return { what: 'token', subject, ...(expires === undefined ? {} : { expiresAtMs: expires }) };
}
