import { settingKey, type OptionSpec } from './option-spec.ts';
import { options, type Settings } from './options.ts';

/** How every secret begins that stands in the guides: who copied one shares it with all who read them. */
const example = /^(?:replace-me|and-me-too|another-one|change-me|the-value-of)-/;

/** A warning for each option that holds a secret of the documentation. */
export function exampleSecretWarnings(settings: Settings): string[] {
  const specs: readonly [string, OptionSpec][] = Object.entries(options);
  return specs
    .filter(([name, spec]) => spec.secret === true && holdsExample(settings[settingKey(name, spec) as keyof Settings]))
    .map(
      ([name]) => `${name} holds a secret of the documentation, which anybody knows: openssl rand -base64 48 makes one`,
    );
}

function holdsExample(value: unknown): boolean {
  if (typeof value === 'string') return example.test(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((member) => holdsExample(member));
}
