import type { Settings } from '../config/options.ts';
import type { Clock } from '../core/clock.ts';
import type { RevocationOptions } from '../core/revocations.ts';
import type { RevocationList } from '../revocation/revocation-list.ts';
import { SqliteRevocationList } from '../revocation/sqlite.ts';

/** The engine's list, else one in the data folder, whether or not the channels are: a restart must let nobody back in. */
export function revocationOptions(settings: Settings, clock: Clock, shared?: RevocationList): RevocationOptions {
  const { dataDir, revocationsMax, revocationPollIntervalMs: pollIntervalMs, tokenLifetimeMaxMs } = settings;
  const list = shared ?? new SqliteRevocationList({ dataDir, clock, revocationsMax });
  return { list, pollIntervalMs, tokenLifetimeMaxMs };
}
