import type { Surroundings } from './local-config.ts';
import type { Output } from './output.ts';

/** What every command is given. */
export interface Context extends Surroundings {
  /** Made when the global flags are known. */
  readonly output: () => Output;
}
