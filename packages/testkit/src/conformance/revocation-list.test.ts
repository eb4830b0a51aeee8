import { SqliteRevocationList, MemoryRevocationList } from '@tutti/server/internal';
import { HintlessRevocationList } from '../hintless-revocation-list.ts';
import { testFolder } from '../test-settings.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { revocationListConformance } from './revocation-list.ts';

/** A little more than a page. */
const revocationsMax = 1_010;

const timed = (): { clock: VirtualClock; now: () => number; advance: (ms: number) => void } => {
  const clock = new VirtualClock();
  return { clock, now: () => clock.now(), advance: (ms) => clock.advance(ms) };
};
revocationListConformance(
  `memory`,
  () => {
    const { clock, ...time } = timed();
    const list = new MemoryRevocationList({ clock, revocationsMax });
    return Promise.resolve({ list, ...time, dispose: () => Promise.resolve() });
  },
  { revocationsMax, hints: true },
);
revocationListConformance(
  `hints lost,`,
  () => {
    const { clock, ...time } = timed();
    const list = new HintlessRevocationList(new MemoryRevocationList({ clock, revocationsMax }));
    return Promise.resolve({ list, ...time, dispose: () => Promise.resolve() });
  },
  { revocationsMax, hints: false },
);
revocationListConformance(
  `sqlite`,
  async () => {
    const { clock, ...time } = timed();
    const folder = await testFolder();
    const options = { dataDir: folder.path, clock, revocationsMax };
    const list = new SqliteRevocationList(options);
    return { list, ...time, dispose: () => folder.remove() };
  },
  { revocationsMax, hints: true },
);
