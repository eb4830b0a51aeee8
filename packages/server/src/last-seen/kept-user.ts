import type { SeenChange, SeenEntry } from './last-seen.ts';

/** What is kept of one user, where the store cannot reckon itself. */
export interface KeptUser {
  readonly atMs: number;
  /** Nodes where the user came and did not leave. */
  readonly nodes: readonly string[];
}

/** When a node last said that it lives; undefined: nobody knows of it. */
export type AliveAt = (node: string) => number | undefined;

/** A node that was silent for so long, beside one that speaks, is not coming back: what is known of it is settled. */
export const settledMs = 600_000;

/** What is kept after a change that `node` wrote at `aliveAtMs`. Pure; the order of changes by different nodes does not matter. */
export function changed(
  kept: KeptUser | undefined,
  { isHere, atMs }: SeenChange,
  { node, aliveAtMs }: { readonly node: string; readonly aliveAtMs: number },
  aliveAt: AliveAt,
): KeptUser {
  let latestMs = Math.max(kept?.atMs ?? 0, atMs);
  const nodes: string[] = [];
  for (const other of kept?.nodes ?? []) {
    if (other === node) continue;
    const aliveMs = aliveAt(other);
    if (aliveMs === undefined) continue;
    if (aliveMs >= aliveAtMs - settledMs) nodes.push(other);
    else latestMs = Math.max(latestMs, aliveMs);
  }
  if (isHere) nodes.push(node);
  return { atMs: latestMs, nodes };
}

export function entryOf({ atMs, nodes }: KeptUser, aliveAt: AliveAt): SeenEntry {
  const known = nodes.flatMap((node) => {
    const aliveAtMs = aliveAt(node);
    return aliveAtMs === undefined ? [] : [{ node, aliveAtMs }];
  });
  return { atMs, nodes: known };
}
