import type { Peers } from '../cluster/peers.ts';
import type { Admission, Load } from '../core/admission.ts';
import type { Node } from '../core/node.ts';
import type { Readiness } from '../core/readiness.ts';
import type { SeenUsers } from '../core/seen-users.ts';
import type { GaugeName } from '../telemetry/metric-table.ts';
import type { Webhooks } from '../webhooks/webhooks.ts';
import type { WiredHooks } from './hooks.ts';

/** What is measured when somebody asks for the metrics. */
export interface Measured {
  readonly node: Node;
  readonly readiness: Readiness;
  readonly admission: Admission;
  readonly load: Load;
  readonly peers: Pick<Peers, 'others'>;
  readonly hooks: WiredHooks;
  readonly webhooks: Pick<Webhooks, 'figures'> | undefined;
  readonly seen: Pick<SeenUsers, 'waiting'> | undefined;
}

export function nodeGauges(measured: Measured): Record<GaugeName, number> {
  const { node, readiness, admission, load, peers, hooks, webhooks, seen } = measured;
  const { connections, channels, subscriptions } = node.figures(0);
  const progress = node.drainProgress;
  const told = webhooks?.figures;
  return {
    connections,
    connections_unauthenticated: load.unauthenticated(),
    channels,
    subscriptions,
    loop_lag_seconds: load.loopLagMs() / 1_000,
    memory_share: load.memoryShare(),
    nodes: peers.others.length + 1,
    hook_breakers_open: hooks.openBreakers(),
    last_seen_waiting: seen?.waiting ?? 0,
    webhook_queue_events: told?.events ?? 0,
    webhook_queue_bytes: told?.bytes ?? 0,
    webhook_oldest_seconds: (told?.oldestMs ?? 0) / 1_000,
    ready: readiness.isReady ? 1 : 0,
    draining: admission.isDraining ? 1 : 0,
    drain_connections: progress?.connections ?? 0,
    drain_connections_left: progress?.left ?? 0,
    drain_closes_per_second: progress?.perSecondMax ?? 0,
  };
}
