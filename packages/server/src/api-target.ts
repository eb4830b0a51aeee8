import { Rejection, rejections, unsubscribes } from '@tutti/protocol';
import type { ApiTarget } from './api/index.ts';
import type { Namespaces } from './config/namespaces.ts';
import type { Clock } from './core/clock.ts';
import { fixedLimits } from './core/limits.ts';
import type { Node } from './core/node.ts';
import { rejectionOf } from './core/rejection-of.ts';
import type { Presence } from './presence/presence.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

export interface ApiTargetParts {
  readonly node: Node;
  readonly namespaces: Namespaces;
  readonly presence: Presence;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly nodeName: string;
  readonly version: string;
  readonly historyPageMax: number;
}

/** A node, as the server API sees it. */
// long on purpose: one short line a method, and nothing to follow.
export function apiTarget(parts: ApiTargetParts): ApiTarget {
  const { node, namespaces, presence, telemetry, clock, historyPageMax } = parts;
  const { directory } = node;
  const startedMs = clock.monotonic();
  const cpuAtStart = process.cpuUsage();
  return {
    namespaceOf: (channel) => namespaces.resolve(channel),
    publish: async (channel, draft, { idempotencyKey, expected }) =>
      node.publish(channel, draft, {
        ...(idempotencyKey === undefined ? {} : { idempotencyKey: applicationKey(idempotencyKey) }),
        ...(expected === undefined ? {} : { expected }),
      }),
    history: (channel, { limit, ...query }) =>
      node.history(channel, {
        ...query,
        limit: limit < 0 ? historyPageMax : Math.min(limit, historyPageMax),
        bytesMax: fixedLimits.historyPageBytesMax,
      }),
    removeHistory: (channel) => node.removeHistory(channel),
    presence: async (channel) => {
      const { presenceMembersMax } = fixedLimits;
      const { clients } = await presence.stats(channel);
      if (clients <= presenceMembersMax) return presence.members(channel);
      throw new Rejection(rejections.limitExceeded, `more than ${presenceMembersMax} members: use presence_stats`);
    },
    presenceStats: (channel) => presence.stats(channel),
    subscribe: (whose, channel, wanted) =>
      directory.subscribe(whose, { channel, namespace: namespaces.resolve(channel) }, wanted),
    unsubscribe: (whose, channel) => {
      namespaces.resolve(channel);
      directory.unsubscribe(whose, channel, unsubscribes.server);
    },
    disconnect: (whose, kind, except) => {
      directory.disconnect(whose, kind, except);
    },
    refresh: (whose, expiresAtMs, info) => {
      directory.refresh(whose, expiresAtMs, info);
    },
    channels: (query, isAsked) => directory.channels(query, isAsked),
    connections: (query, user) => directory.connections(query, user),
    info: () => {
      const uptimeMs = Math.max(1, clock.monotonic() - startedMs);
      const { connections, channels, subscriptions } = node.figures(0);
      const { rss, heapUsed } = process.memoryUsage();
      const { user, system } = process.cpuUsage(cpuAtStart);
      return {
        ...{ name: parts.nodeName, version: parts.version, uptimeSeconds: uptimeMs / 1_000 },
        ...{ connections, channels, subscriptions, users: directory.users },
        cpuPercent: Math.round(((user + system) / 1_000 / uptimeMs) * 1_000) / 10,
        ...{ rssBytes: rss, heapBytes: heapUsed },
      };
    },
    rejectionOf: (error) => {
      const rejection = rejectionOf(error, { telemetry });
      if (rejection !== undefined) return rejection;
      telemetry.count('bugs');
      telemetry.log.error({ error }, 'bug: this should be impossible; please report it');
      return new Rejection(rejections.internal);
    },
  };
}

/** The application's keys are its own: a user's key never meets them. */
export function applicationKey(idempotencyKey: string): string {
  return `a\n${idempotencyKey}`;
}
