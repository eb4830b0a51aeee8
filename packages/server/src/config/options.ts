import type { ApiKey, ApiRightName } from './api-key.ts';
import type { Namespace } from './namespace.ts';
import type { namespaceOptions } from './namespace-options.ts';
import type { OptionSpec, OptionTable, SettingKey } from './option-spec.ts';
import { admissionOptions } from './options/admission-options.ts';
import { apiOptions } from './options/api-options.ts';
import { channelOptions } from './options/channel-options.ts';
import { clusterOptions } from './options/cluster-options.ts';
import { connectionOptions } from './options/connection-options.ts';
import { engineOptions } from './options/engine-options.ts';
import { hookOptions } from './options/hook-options.ts';
import { identityOptions } from './options/identity-options.ts';
import { lastSeenOptions } from './options/last-seen-options.ts';
import { nodeOptions } from './options/node-options.ts';
import { webhookOptions } from './options/webhook-options.ts';
import type { TokenIssuer } from './token-issuer.ts';
import type { TokenKey } from './token-key.ts';
import type { Webhook, WebhookEventName } from './webhook.ts';

/**
 * Every option of a node, once, by theme in options/. File keys are the names below; `variableName` and `flagName` say
 * the others. Changing a default is a change for users: it belongs into the changelog.
 */
export const options = {
  ...nodeOptions,
  ...engineOptions,
  ...identityOptions,
  ...apiOptions,
  ...hookOptions,
  ...connectionOptions,
  ...admissionOptions,
  ...channelOptions,
  ...clusterOptions,
  ...lastSeenOptions,
  ...webhookOptions,
} as const satisfies OptionTable;

export type Options = typeof options;
export type OptionName = keyof Options;

/** The value of an option once read: milliseconds, bytes, a share of 1. */
export type SettingValue<Spec extends OptionSpec> = Spec['type'] extends 'text'
  ? string
  : Spec['type'] extends 'boolean'
    ? boolean
    : Spec['type'] extends 'choice'
      ? ChoiceOf<Spec>
      : Spec['type'] extends 'list'
        ? readonly string[]
        : Spec['type'] extends 'keys'
          ? readonly TokenKey[]
          : Spec['type'] extends 'issuers'
            ? readonly TokenIssuer[]
            : Spec['type'] extends 'apiKeys'
              ? readonly ApiKey[]
              : Spec['type'] extends 'webhooks'
                ? readonly Webhook[]
                : Spec['type'] extends 'namespaces'
                  ? ReadonlyMap<string, Namespace>
                  : number;

type ChoiceOf<Spec> = Spec extends { choices: readonly (infer Choice)[] } ? Choice : never;

/** What a table becomes once read and checked. */
export type SettingsOf<Table extends OptionTable> = {
  readonly [Name in keyof Table & string as SettingKey<Name, Table[Name]>]: SettingValue<Table[Name]>;
};

/** Effective values of all options: every module gets its own slice in its constructor. */
export type Settings = SettingsOf<Options>;

/** How a value is written in a file: `'25s'` for a duration, `'64KiB'` or bytes for a size. */
type WrittenValue<Spec extends OptionSpec> = Spec['type'] extends 'size' | 'share'
  ? string | number
  : Spec['type'] extends 'duration'
    ? string
    : Spec['type'] extends 'keys'
      ? readonly WrittenTokenKey[]
      : Spec['type'] extends 'issuers'
        ? readonly WrittenTokenIssuer[]
        : Spec['type'] extends 'apiKeys'
          ? readonly WrittenApiKey[]
          : Spec['type'] extends 'webhooks'
            ? readonly WrittenWebhook[]
            : Spec['type'] extends 'namespaces'
              ? Readonly<Record<string, WrittenNamespace>>
              : SettingValue<Spec>;

/** A token key in a file: exactly one of `secret`, `publicKey` and `publicKeyFile`. */
export interface WrittenTokenKey {
  alg: TokenKey['alg'];
  kid?: string;
  secret?: string;
  publicKey?: string;
  /** PEM file, relative to the configuration file. */
  publicKeyFile?: string;
}

/** An issuer of tokens in a file. */
export interface WrittenTokenIssuer {
  issuer: string;
  jwksUrl: string;
  audience?: string | readonly string[];
  tenant?: string;
}

/** A key of the server API in a file: exactly one of `key` and `keyFile`. */
export interface WrittenApiKey {
  name: string;
  key?: string;
  /** File with nothing but the key, relative to the configuration file. */
  keyFile?: string;
  allow: '*' | readonly (ApiRightName | '*')[];
  channels?: readonly string[];
  /** The only tenant it opens. */
  tenant?: string;
}

/** A webhook in a file: exactly one of `secret`, `secrets` and `secretFile`. */
export interface WrittenWebhook {
  name: string;
  url: string;
  secret?: string;
  /** Two, while one takes over from the other. */
  secrets?: readonly string[];
  /** File with nothing but the secret, relative to the configuration file. */
  secretFile?: string;
  events: '*' | readonly WebhookEventName[];
  namespaces?: readonly string[];
  batchMax?: number;
  /** `'250ms'` */
  batchDelay?: string;
}

type NamespaceTable = typeof namespaceOptions;
export type WrittenNamespace = { readonly [Name in keyof NamespaceTable]?: WrittenValue<NamespaceTable[Name]> };
export type WrittenSettings = { readonly [Name in OptionName]?: WrittenValue<Options[Name]> };
