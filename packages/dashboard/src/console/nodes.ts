import { addSample, type NodeStats } from './stats.ts';

/** More nodes than that are no table any more; the oldest to be silent leave first. */
const nodesMax = 64;
/** A node that said nothing for so long, by what the others say the time is, is not shown any more. */
const silentSecondsMax = 15;

/** The figures of each node of a cluster, one series a node. Immutable. */
export class Nodes {
  readonly #samples: ReadonlyMap<string, readonly NodeStats[]>;

  constructor(samples: ReadonlyMap<string, readonly NodeStats[]> = new Map()) {
    this.#samples = samples;
  }

  /** With one more sample, of whichever node. */
  with(sample: NodeStats): Nodes {
    const samples = new Map(this.#samples);
    samples.set(sample.node, addSample(samples.get(sample.node) ?? [], sample));
    for (const [node, own] of samples) {
      const isSilent = (own.at(-1)?.timeSeconds ?? 0) < sample.timeSeconds - silentSecondsMax;
      if (isSilent || samples.size > nodesMax) samples.delete(node);
    }
    return new Nodes(samples);
  }

  /** What each said last, by name. */
  get latest(): readonly NodeStats[] {
    const latest = [...this.#samples.values()].flatMap((own) => own.slice(-1));
    return latest.sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  /** Of the node, newest last; of the first by name where it is not there. */
  of(node: string): readonly NodeStats[] {
    return this.#samples.get(node) ?? this.#samples.get(this.latest[0]?.node ?? '') ?? [];
  }
}
