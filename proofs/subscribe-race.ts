import { everyInterleaving } from '@tutti/testkit/interleavings';
import { races, subscribeRace } from '../tests/simulation/subscribe-race.ts';
import type { Proof } from './proof.ts';

/** DEL-8, on virtual time: not some interleavings by chance, but each of them. */
export const subscribeRaceProof: Proof = {
  name: 'subscribe-race',
  shows: 'publishing while subscribing, at every interleaving: no hole, no duplicate (DEL-1, DEL-2, DEL-7, DEL-8)',
  options: {
    schedules: { default: 400_000, description: 'most schedules of one race' },
  },
  run: async ({ schedules = 0 }, say) => {
    const broken: string[] = [];
    const figures: Record<string, { schedules: number; complete: boolean }> = {};
    for (const [name, options] of Object.entries(races)) {
      try {
        const explored = await everyInterleaving(() => subscribeRace(options), { schedulesMax: schedules });
        figures[name] = { schedules: explored.schedules, complete: explored.complete };
        say(
          `${name}: ${explored.schedules} schedules of up to ${explored.stepsMost} steps, ${explored.complete ? 'all there are' : 'bounded'}`,
        );
      } catch (error) {
        broken.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    const total = Object.values(figures).reduce((sum, race) => sum + race.schedules, 0);
    return { broken, figures: { total, races: figures } };
  },
};
