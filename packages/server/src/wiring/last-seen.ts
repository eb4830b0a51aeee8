import { ClusterLastSeen } from '../core/cluster-last-seen.ts';
import type { Clock } from '../core/clock.ts';
import { SeenUsers } from '../core/seen-users.ts';
import type { Settings } from '../config/options.ts';
import type { Peers } from '../cluster/peers.ts';
import { SolePeers } from '../cluster/sole-peers.ts';
import type { LastSeen, LastSeenBounds } from '../last-seen/last-seen.ts';
import { MemoryLastSeen } from '../last-seen/memory.ts';
import { SqliteLastSeen } from '../last-seen/sqlite.ts';
import type { Log, Telemetry } from '../telemetry/telemetry.ts';

export interface LastSeenParts {
  /** The engine's; absent: this node keeps its own. */
  readonly shared: LastSeen | undefined;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export interface WiredLastSeen {
  readonly seen: SeenUsers;
  readonly asked: ClusterLastSeen;
}

/** Undefined: it is not kept, or by an engine of nodes that share nothing for it. */
export function wireLastSeen(
  settings: Settings,
  { shared, peers, clock, telemetry }: LastSeenParts,
): WiredLastSeen | undefined {
  const { lastSeenTtlMs: ttlMs, nodeLeaseMs } = settings;
  const hasNowhere = shared === undefined && !(peers instanceof SolePeers);
  if (ttlMs === 0 || hasNowhere) return undefined;
  const store = shared ?? ownStore(settings, clock, telemetry.log);
  const node = peers.self.incarnation;
  // A node that is killed is known to have lived until half a lease before, at most.
  const seen = new SeenUsers({ store, node, ttlMs, aliveEveryMs: nodeLeaseMs / 2, clock, telemetry });
  return { seen, asked: new ClusterLastSeen(seen, { store, peers, clock }) };
}

export function lastSeenBounds({ lastSeenTtlMs: ttlMs, lastSeenMax: usersMax }: Settings): LastSeenBounds {
  return { ttlMs, usersMax };
}

/** A node that keeps no channel on disk makes no file for this alone. */
function ownStore(settings: Settings, clock: Clock, log: Log): LastSeen {
  const { dataDir, namespaces } = settings;
  const bounds = lastSeenBounds(settings);
  const isDurable = [...namespaces.values()].some(({ durable }) => durable);
  return isDurable ? new SqliteLastSeen({ dataDir, clock, bounds, log }) : new MemoryLastSeen(clock, bounds);
}
