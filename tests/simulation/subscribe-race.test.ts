import { test } from 'node:test';
import { everyInterleaving } from '@tutti/testkit/interleavings';
import { races, subscribeRace } from './subscribe-race.ts';

for (const [name, options] of Object.entries(races)) {
  test(`DEL-8: publishing during ${name}, no hole and no duplicate in any interleaving`, async (t) => {
    // Bounded for the suite; `npm run proof -- subscribe-race` goes on to the end of each.
    const explored = await everyInterleaving(() => subscribeRace(options), { schedulesMax: 600 });
    t.diagnostic(`${explored.schedules} schedules, ${explored.complete ? 'all' : 'bounded'}`);
  });
}
