/** Settings of a node: what they are, where they come from, what is wrong with them. */
export { canonicalChannel, channelProblem, defaultNamespace, namespaceOf, namespacePattern } from './channel-name.ts';
export { configFileNames } from './config-file.ts';
export { renderConfigurationPage } from './configuration-page.ts';
export { contradictions, isLoopback, type Contradiction, type Mode } from './contradictions.ts';
export { defineConfig, type TuttiConfig } from './define-config.ts';
export { describeAsVariables, describeSettings, mask, type DescribedValue } from './describe.ts';
export { withDevSecret } from './dev-secret.ts';
export { loadConfig, type Environment, type LoadedConfig, type LoadRequest } from './load.ts';
export type { Allowance, Namespace, SubscribeAllowance } from './namespace.ts';
export { namespaceOptions } from './namespace-options.ts';
export { Namespaces } from './namespaces.ts';
export { nearestName } from './nearest-name.ts';
export { flagName, variableName, type OptionSpec } from './option-spec.ts';
export { options, type OptionName, type Settings } from './options.ts';
export { defaultSettings, devSettings } from './presets.ts';
export { formatProblem, type ConfigProblem, type Source } from './problem.ts';
export type { RpcContext, RpcHandler } from './rpc-handler.ts';
export { tokenAlgorithms, tokenKeyProblem, type TokenAlgorithm, type TokenKey } from './token-key.ts';
