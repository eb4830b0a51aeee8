import { MessageFields } from '../cluster/message-fields.ts';
import type { Peer, Peers } from '../cluster/peers.ts';
import type { Clock } from '../core/clock.ts';
import type { Presence } from '../presence/presence.ts';
import type { NodeObserver } from './node-observer.ts';

export interface ClusterOccupancyParts {
  readonly peers: Peers;
  readonly clock: Clock;
  /** Which nodes are in which channels: the presence of nodes, with messages of its own. */
  readonly nodes: Presence & { settled(): Promise<void> };
  /** Whether anybody is to be told of the channel: the others are left out. */
  readonly wants: (channel: string) => boolean;
  /** After so long a node that is silent is gone. */
  readonly leaseMs: number;
}

type Told = Required<Pick<NodeObserver, 'occupied' | 'vacated'>>;

/** What a node says of itself with every heartbeat. */
interface Candidate {
  /** Since when it may speak: milliseconds since 1970, behind everybody it knew. */
  readonly since: number;
  /** Events that it has told. */
  readonly told: number;
}

const topic = 'speaker';
const tellAtOnceMax = 500;

/**
 * When a channel has its first subscriber on any node, and when the last one on all nodes is gone.
 *
 * Every node tells the others which channels it has subscribers of, and knows that of all; one speaks for them,
 * the one that is there longest, so that what it tells is in order. When it is gone the next one goes on: it tells
 * what the lost node alone had as vacated, and once more what changed shortly before, as nobody knows what the lost
 * one still told. Where nodes cannot hear each other each part speaks for itself; when they can again, what is
 * occupied is told anew. So an event may come twice, and the last one of a channel is right.
 *
 * Bound: the wanted channels of all nodes, by name and node.
 */
export class ClusterOccupancy implements Told {
  readonly #parts: ClusterOccupancyParts;
  readonly #observer: Told;
  readonly #self: string;
  /** By incarnation. */
  readonly #others = new Map<string, Candidate>();
  /** Absent: not yet one of those who may speak. */
  #since: number | undefined;
  #told = 0;
  readonly #occupied = new Set<string>();
  /** What changed while another spoke, for as long as it may have been gone already; oldest first. */
  readonly #untold = new Map<string, { readonly isOccupied: boolean; readonly atMs: number }>();

  constructor(parts: ClusterOccupancyParts, observer: Told) {
    const { peers } = parts;
    this.#parts = parts;
    this.#observer = observer;
    this.#self = peers.self.incarnation;
    peers.hear(topic, readCandidate, (from, candidate) => {
      this.#heard(from, candidate);
    });
    peers.beat(topic, (): Candidate | undefined =>
      this.#since === undefined ? undefined : { since: this.#since, told: this.#told },
    );
    peers.watch({
      down: ({ incarnation }) => {
        this.#others.delete(incarnation);
        this.#speakUp();
      },
    });
  }

  /** Before the peers start. */
  start(): Promise<void> {
    return this.#parts.nodes.start({
      join: (channel, _, isFirst) => {
        if (isFirst) this.#changed(channel, true);
      },
      leave: (channel, _, isLast) => {
        if (isLast) this.#changed(channel, false);
      },
    });
  }

  /** Once the peers have started: resolves when this node knows what the others know, and may speak. */
  async open(): Promise<void> {
    const { nodes, clock } = this.#parts;
    await nodes.settled();
    // Behind everybody who is there, whatever their clocks say: who speaks goes on speaking.
    this.#since = Math.max(clock.now(), ...[...this.#others.values()].map(({ since }) => since + 1));
    // What is so already was told by whoever spoke before.
    if (this.#others.size > 0) this.#untold.clear();
    this.#speakUp();
  }

  occupied(channel: string): void {
    if (this.#parts.wants(channel)) void this.#parts.nodes.add(channel, { user: '', client: this.#self });
  }

  vacated(channel: string): void {
    void this.#parts.nodes.remove(channel, this.#self);
  }

  close(): Promise<void> {
    return this.#parts.nodes.close();
  }

  get #speaks(): boolean {
    const own = this.#since;
    if (own === undefined) return false;
    // Asked of those who live now: of one that has just gone, the members may leave before it is forgotten here.
    return this.#parts.peers.others.every(({ incarnation }) => {
      const since = this.#others.get(incarnation)?.since ?? Infinity;
      return own < since || (own === since && this.#self < incarnation);
    });
  }

  #changed(channel: string, isOccupied: boolean): void {
    if (isOccupied) this.#occupied.add(channel);
    else this.#occupied.delete(channel);
    const { clock, leaseMs } = this.#parts;
    const atMs = clock.monotonic();
    this.#untold.delete(channel);
    this.#untold.set(channel, { isOccupied, atMs });
    this.#speakUp();
    for (const [name, change] of this.#untold) {
      // The lease, and as much again for what was on its way.
      if (atMs - change.atMs <= 2 * leaseMs) break;
      this.#untold.delete(name);
    }
  }

  #speakUp(): void {
    if (!this.#speaks) return;
    const untold = [...this.#untold];
    this.#untold.clear();
    for (const [channel, { isOccupied }] of untold) {
      this.#told += 1;
      if (isOccupied) this.#observer.occupied(channel);
      else this.#observer.vacated(channel);
    }
  }

  #heard({ incarnation }: Peer, candidate: Candidate): void {
    const before = this.#others.get(incarnation)?.told ?? 0;
    this.#others.set(incarnation, candidate);
    // It has spoken without having heard of this node, and may have told what this node knows better.
    if (candidate.told > before && this.#speaks) this.#tellAnew([...this.#occupied], 0);
  }

  /** Some in each turn of the loop: everything at once would hold up the others (S22). */
  #tellAnew(channels: readonly string[], from: number): void {
    if (!this.#speaks) return;
    const next = from + tellAtOnceMax;
    for (const channel of channels.slice(from, next)) {
      if (!this.#occupied.has(channel)) continue;
      this.#told += 1;
      this.#observer.occupied(channel);
    }
    if (next < channels.length) this.#parts.clock.soon(() => this.#tellAnew(channels, next));
  }
}

/** Throws `BadMessage`. */
function readCandidate(value: unknown): Candidate {
  const fields = new MessageFields(value);
  return { since: fields.count('since'), told: fields.count('told') };
}
