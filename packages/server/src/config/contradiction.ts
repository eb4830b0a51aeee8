import type { OptionName } from './options.ts';

/** Something wrong with settings that are right one by one. */
export interface Contradiction {
  readonly option: OptionName;
  /** Continues the option: `.chat`. */
  readonly path?: string;
  readonly message: string;
}
