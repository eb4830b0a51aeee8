export { VirtualClock } from './virtual-clock.ts';
export { SeededRandom } from './seeded-random.ts';
export { eventually, type EventuallyOptions } from './eventually.ts';
