import type { Namespaces } from '../config/namespaces.ts';
import type { Settings } from '../config/options.ts';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { Log } from '../telemetry/telemetry.ts';

/** What an engine is made of. */
export interface EngineParts {
  readonly settings: Settings;
  readonly namespaces: Namespaces;
  /** Of this node; the nodes that share an engine have different ones. */
  readonly nodeName: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}
