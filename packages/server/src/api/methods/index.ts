import type { ApiMethod } from '../method.ts';
import { history, historyRemove } from './history.ts';
import { lastSeen, lastSeenRemove } from './last-seen.ts';
import { channels, connections, info } from './overview.ts';
import { presence, presenceStats } from './presence.ts';
import { broadcast, publish } from './publishing.ts';
import { revoke } from './revoking.ts';
import { disconnect, refresh, subscribe, unsubscribe } from './users.ts';

/** Every method but `batch`, which is made of these. */
export const methods: ReadonlyMap<string, ApiMethod> = new Map(
  [
    publish,
    broadcast,
    subscribe,
    unsubscribe,
    disconnect,
    refresh,
    revoke,
    presence,
    presenceStats,
    lastSeen,
    lastSeenRemove,
    history,
    historyRemove,
    channels,
    connections,
    info,
  ].map((each) => [each.name, each]),
);
