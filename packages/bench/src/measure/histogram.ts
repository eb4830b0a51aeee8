/** Buckets in each doubling: a value is known to within 1/32, about 3 %. */
const steps = 32;
const doublings = 40;

/** What travels between processes: pairs of bucket and count, of the buckets that are not empty. */
export type SparseHistogram = readonly (readonly [bucket: number, count: number])[];

/** Counts of whole numbers from 0 to 2^40 (microseconds, here), in a fixed amount of memory. */
export class Histogram {
  readonly #counts = new Float64Array(steps * doublings);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Negative values count as 0: two processes may read the same clock in the other order. */
  add(value: number): void {
    const bucket = Math.min(bucketOf(Math.max(0, Math.floor(value))), this.#counts.length - 1);
    this.#counts[bucket] = this.#counts[bucket]! + 1;
    this.#total += 1;
  }

  merge(other: SparseHistogram): void {
    for (const [bucket, count] of other) {
      this.#counts[bucket] = this.#counts[bucket]! + count;
      this.#total += count;
    }
  }

  sparse(): SparseHistogram {
    return Array.from(this.#counts, (count, bucket) => [bucket, count] as const).filter(([, count]) => count > 0);
  }

  /** The smallest value that at least `share` (0 to 1) of all do not exceed, rounded up to its bucket; 0 where empty. */
  quantile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length && this.#total > 0; bucket += 1) {
      seen += this.#counts[bucket]!;
      if (seen >= wanted) return highest(bucket);
    }
    return 0;
  }
}

function bucketOf(value: number): number {
  if (value < steps) return value;
  const doubling = Math.floor(Math.log2(value));
  // Within [2^doubling, 2^(doubling+1)), in `steps` equal parts; the first doublings are exact.
  const part = Math.floor((value / 2 ** doubling - 1) * steps);
  return (doubling - Math.log2(steps) + 1) * steps + part;
}

function highest(bucket: number): number {
  if (bucket < steps) return bucket;
  const doubling = Math.floor(bucket / steps) - 1 + Math.log2(steps);
  const part = bucket % steps;
  return Math.ceil(2 ** doubling * (1 + (part + 1) / steps)) - 1;
}
