import type { Broker } from './broker/broker.ts';
import type { ControlBus } from './cluster/control-bus.ts';
import type { Namespace } from './config/namespace.ts';
import type { LastSeen } from './last-seen/last-seen.ts';
import type { RevocationList } from './revocation/revocation-list.ts';

/** Where channels live, and what connects the nodes that share them. Not started. */
export interface Engine {
  readonly broker: Broker;
  /** Absent: there are no other nodes. */
  readonly bus?: ControlBus;
  /** What was revoked, for all nodes that share the channels. Absent: this node's own list, in its data folder. */
  readonly revocations?: RevocationList;
  /** When users were last connected, for all nodes that share the channels. Absent: a node alone keeps its own, nodes with a bus keep none. */
  readonly lastSeen?: LastSeen;
  /** Live publications of the namespace can be lost between log and node, so its positions are to be compared (DEL-7). */
  mayLoseLive(namespace: Namespace): boolean;
}
