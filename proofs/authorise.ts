import { runLive, liveBugs } from './authorise/live.ts';
import { ways } from './authorise/live-link.ts';
import { coreBugs, runOnCore } from './authorise/on-core.ts';
import type { Proof, Verdict } from './proof.ts';

/** Where something of the other tenant could show on a real node. */
const places = [...ways, 'api', 'hooks', 'webhooks'];

/** S11 from outside: whatever users and applications of two tenants send, nothing of one is in what the other is sent. */
export const authorise: Proof = {
  name: 'authorise',
  shows:
    'random commands by users of two tenants, hostile names among them, on core and on a real node over every kind of connection, with API keys and hooks: no publication, presence, history, name or question crosses (S11)',
  options: {
    sequences: { default: 200_000, description: 'random command sequences on core; 0: none' },
    live: { default: 5_000, description: 'on a real node; 0: none' },
    workers: { default: 8, description: 'of those, at the same time' },
    planted: { default: 500, description: 'sequences on each node with a planted bug, which must be found' },
    seed: { default: 1, description: 'of the random numbers' },
  },
  run: async ({ sequences = 0, live = 0, workers = 0, planted = 0, seed = 0 }, say) => {
    const core = sequences > 0 ? await onCore({ sequences, planted, seed }, say) : undefined;
    const real = live > 0 ? await onNode({ sequences: live, planted, workers, seed }, say) : undefined;
    return {
      broken: [core, real].flatMap((part) => part?.broken ?? []),
      figures: { core: core?.figures, live: real?.figures },
    };
  },
};

interface Wanted {
  readonly sequences: number;
  readonly planted: number;
  readonly seed: number;
}

async function onCore({ sequences, planted, seed }: Wanted, say: (line: string) => void): Promise<Verdict> {
  const broken: string[] = [];
  const startedMs = performance.now();
  const tally = await runOnCore(sequences, seed, undefined, (done) => say(`core: ${done} sequences`));
  broken.push(...tally.crossings);
  if (tally.own === 0 || tally.refused === 0) broken.push('core: nothing was delivered, or nothing refused');
  const { crossings: _, ...counted } = tally;
  const seconds = secondsSince(startedMs);
  say(`core: ${JSON.stringify(counted)} in ${seconds} s`);
  const found: Record<string, number> = {};
  for (const bug of coreBugs) {
    const { crossings } = await runOnCore(planted, seed + 1, bug);
    found[bug] = crossings.length;
    if (crossings.length === 0) broken.push(`core: the planted bug "${bug}" was not found`);
  }
  return { broken, figures: { sequences, seconds, ...counted, plantedFound: found } };
}

async function onNode(
  { sequences, planted, seed, workers }: Wanted & { readonly workers: number },
  say: (line: string) => void,
): Promise<Verdict> {
  const broken: string[] = [];
  const startedMs = performance.now();
  const tally = await runLive({ sequences, seed, workers }, (done) => say(`live: ${done} sequences`));
  broken.push(...tally.crossings.map((crossing) => `live: ${crossing}`));
  for (const place of places) if (!tally.own.has(place)) broken.push(`live: nothing was seen at ${place}`);
  for (const place of [...ways, 'api'])
    if (!tally.refused.has(place) || !tally.answered.has(place))
      broken.push(`live: ${place} refused or answered nothing`);
  if (tally.unanswered > 0) broken.push(`live: ${tally.unanswered} commands were never answered`);
  const seconds = secondsSince(startedMs);
  say(`live: ${JSON.stringify(tally.figures)} in ${seconds} s`);
  const found: Record<string, unknown> = {};
  for (const bug of liveBugs) {
    const { crossed } = await runLive({ sequences: planted, seed: seed + 1, workers, bug }, () => undefined);
    found[bug] = Object.fromEntries(crossed);
    if (crossed.size === 0) broken.push(`live: the planted bug "${bug}" was not found`);
    // A node that knows no tenants must show everywhere that is looked at.
    if (bug === 'no tenants')
      for (const place of places.filter((each) => !crossed.has(each)))
        broken.push(`live: the planted bug "${bug}" was not found at ${place}`);
  }
  say(`live: planted bugs, and where they showed: ${JSON.stringify(found)}`);
  return { broken, figures: { sequences, seconds, ...tally.figures, plantedFound: found } };
}

function secondsSince(startedMs: number): number {
  return Math.round((performance.now() - startedMs) / 100) / 10;
}
