import type { HookFunctions } from './hook-functions.ts';
import type { WrittenSettings } from './options.ts';
import type { RpcHandler } from './rpc-handler.ts';

export type TuttiConfig = WrittenSettings & {
  readonly rpc?: Readonly<Record<string, RpcHandler>>;
  readonly hooks?: HookFunctions;
};

/** For `tutti.config.ts`: returns what it is given, and lets the editor complete and check it. */
export function defineConfig(config: TuttiConfig): TuttiConfig {
  return config;
}
