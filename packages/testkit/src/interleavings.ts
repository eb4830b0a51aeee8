import type { VirtualClock } from './virtual-clock.ts';

export interface Exploration {
  /** Schedules that were run. */
  readonly schedules: number;
  /** False: `schedulesMax` came first, and some were not tried. */
  readonly complete: boolean;
  /** Most callbacks in one schedule. */
  readonly stepsMost: number;
}

/** One try: set up on the clock, let the schedule run, judge. Throws where a promise is broken. */
export interface Scenario {
  readonly clock: VirtualClock;
  /** Called when nothing is ready any more. */
  judge(): void;
}

/**
 * Runs a scenario once for each order in which its callbacks can come, depth first. A failure says
 * the schedule, as the list of choices, so that it can be run again alone by `choices`.
 *
 * Without randomness in the scenario the same choices always lead the same way.
 */
export async function everyInterleaving(
  create: () => Promise<Scenario>,
  options: { schedulesMax: number; choices?: readonly number[] },
): Promise<Exploration> {
  let choices: number[] = [...(options.choices ?? [])];
  let schedules = 0;
  let stepsMost = 0;
  while (schedules < options.schedulesMax) {
    const taken = await runSchedule(create, choices);
    schedules += 1;
    stepsMost = Math.max(stepsMost, taken.length);
    const next = nextChoices(taken);
    if (next === undefined || options.choices !== undefined)
      return { schedules, complete: next === undefined, stepsMost };
    choices = next;
  }
  return { schedules, complete: false, stepsMost };
}

interface Taken {
  readonly choice: number;
  readonly ready: number;
}

async function runSchedule(create: () => Promise<Scenario>, choices: readonly number[]): Promise<Taken[]> {
  const scenario = await create();
  const taken: Taken[] = [];
  await settled();
  while (scenario.clock.ready > 0) {
    const choice = choices[taken.length] ?? 0;
    taken.push({ choice, ready: scenario.clock.ready });
    scenario.clock.step(choice);
    await settled();
  }
  try {
    scenario.judge();
  } catch (error) {
    const schedule = JSON.stringify(taken.map((step) => step.choice));
    throw new Error(`broken in schedule ${schedule}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return taken;
}

/** The next schedule in depth-first order: the last step that had another choice takes it. */
function nextChoices(taken: readonly Taken[]): number[] | undefined {
  for (let i = taken.length - 1; i >= 0; i -= 1) {
    const step = taken[i];
    if (step !== undefined && step.choice + 1 < step.ready)
      return [...taken.slice(0, i).map((before) => before.choice), step.choice + 1];
  }
  return undefined;
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
