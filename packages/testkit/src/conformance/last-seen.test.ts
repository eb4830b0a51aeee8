import { MemoryLastSeen, SqliteLastSeen } from '@tutti/server/internal';
import { testFolder } from '../test-settings.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { lastSeenConformance } from './last-seen.ts';

const bounds = { ttlMs: 30 * 24 * 3_600_000, usersMax: 800 };

const timed = (): { clock: VirtualClock; now: () => number; advance: (ms: number) => void } => {
  const clock = new VirtualClock();
  return { clock, now: () => clock.now(), advance: (ms) => clock.advance(ms) };
};

lastSeenConformance(
  'memory',
  () => {
    const { clock, ...time } = timed();
    return Promise.resolve({ store: new MemoryLastSeen(clock, bounds), ...time, dispose: () => Promise.resolve() });
  },
  bounds,
);

lastSeenConformance(
  'sqlite',
  async () => {
    const { clock, ...time } = timed();
    const folder = await testFolder();
    const store = new SqliteLastSeen({ dataDir: folder.path, clock, bounds });
    return { store, ...time, dispose: () => folder.remove() };
  },
  bounds,
);
