import type { Peer } from './peers.ts';

export interface NodeTableOptions {
  /** A node that is silent for so long is gone. */
  readonly leaseMs: number;
  /** The same, once another process of its name was heard of: it was most likely started again. */
  readonly succeededLeaseMs: number;
  /** Between two ticks, when nothing holds this process up. */
  readonly tickMs: number;
}

export interface KnownNode {
  readonly peer: Peer;
  /** On this node's own watch, milliseconds: clocks of different nodes are never compared. */
  heardAtMs: number;
  hasSuccessor: boolean;
}

/** Nodes that are known at the same time. Only a stranger on a bus without a secret meets it. */
const nodesMax = 1_000;
/** Incarnations that are remembered after their good-bye. */
const endedMax = 1_000;

/**
 * Which nodes live, judged by when each was last heard. Pure: time comes in as arguments.
 *
 * A node is known by its incarnation, so that one that was started again is another node, and two processes
 * of the same name (a mistake, or an old one that still ends) do not fight for one place. Silence is
 * counted only while this process was awake: after a pause of its own it does not take all others for dead.
 */
export class NodeTable {
  readonly #options: NodeTableOptions;
  readonly #nodes = new Map<string, KnownNode>();
  readonly #ended = new Set<string>();
  #watchMs = 0;
  #tickedAtMs: number | undefined;

  constructor(options: NodeTableOptions) {
    this.#options = options;
  }

  get nodes(): readonly KnownNode[] {
    return [...this.#nodes.values()];
  }

  has(incarnation: string): boolean {
    return this.#nodes.has(incarnation);
  }

  named(name: string): Peer[] {
    return this.nodes.filter(({ peer }) => peer.name === name).map(({ peer }) => peer);
  }

  /** A sign of life. `new`: it was not known, or no more. `ended`: it had said good-bye, and this came late. */
  heard(peer: Peer): 'new' | 'known' | 'ended' | 'full' {
    if (this.#ended.has(peer.incarnation)) return 'ended';
    const known = this.#nodes.get(peer.incarnation);
    if (known !== undefined) {
      known.heardAtMs = this.#watchMs;
      return 'known';
    }
    if (this.#nodes.size >= nodesMax) return 'full';
    for (const other of this.#nodes.values()) if (other.peer.name === peer.name) other.hasSuccessor = true;
    this.#nodes.set(peer.incarnation, { peer, heardAtMs: this.#watchMs, hasSuccessor: false });
    return 'new';
  }

  /** It said good-bye. True: it was known. */
  ended(peer: Peer): boolean {
    this.#ended.add(peer.incarnation);
    if (this.#ended.size > endedMax) for (const first of [...this.#ended].slice(0, 1)) this.#ended.delete(first);
    return this.#nodes.delete(peer.incarnation);
  }

  /** Time has passed; returns who was silent for too long, and is forgotten. */
  tick(nowMs: number): Peer[] {
    const passedMs = nowMs - (this.#tickedAtMs ?? nowMs);
    this.#tickedAtMs = nowMs;
    this.#watchMs += Math.min(passedMs, 2 * this.#options.tickMs);
    const { leaseMs, succeededLeaseMs } = this.#options;
    const gone = this.nodes.filter(
      ({ heardAtMs, hasSuccessor }) => this.#watchMs - heardAtMs > (hasSuccessor ? succeededLeaseMs : leaseMs),
    );
    for (const { peer } of gone) this.#nodes.delete(peer.incarnation);
    return gone.map(({ peer }) => peer);
  }
}
