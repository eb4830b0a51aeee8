import { namespaceOptions } from './namespace-options.ts';
import { flagName, variableName, type OptionSpec, type OptionTable } from './option-spec.ts';
import { options } from './options.ts';
import { formatWritten } from './written-value.ts';

const introduction = `# Configuration

<!-- Generated from packages/server/src/config/options/ and namespace-options.ts; do not edit. -->

Every option can be set in a file, as a variable, and (where it has one) as a flag. What comes later wins: default, file, environment, flag.
The file is \`tutti.config.ts\`, \`tutti.config.js\` or \`tutti.config.json\` in the working directory, or what \`--config\` or \`TUTTI_CONFIG\` names. YAML is not read.

\`\`\`ts
import { defineConfig } from '@tutti/server';

export default defineConfig({
  tokenKeys: [{ alg: 'ES256', publicKeyFile: './token-key.pem' }],
  allowedOrigins: ['https://app.example.com'],
  namespaces: {
    chat: { historySize: 1000, historyTtl: '30d', durable: true, presence: true, joinLeave: true, allowSubscribe: 'user', allowPublish: 'subscriber' },
  },
  rpc: { time: () => ({ now: new Date().toISOString() }) },
});
\`\`\`

- \`tutti config check\` reports everything that is wrong, at once. \`tutti config show\` prints what is in effect and where it came from; secrets are masked. \`tutti config env\` prints it as variables.
- Durations are written \`250ms\`, \`25s\`, \`5m\`, \`24h\`, \`30d\`; sizes \`64KiB\`, \`5MiB\`, or a number of bytes; shares \`10%\` or \`0.1\`.
- In a variable or flag, a list is words with commas, and \`TUTTI_TOKEN_KEYS\`, \`TUTTI_API_KEYS\`, \`TUTTI_WEBHOOKS\` and \`TUTTI_NAMESPACES\` are JSON. Secrets have no flag, because every user of a machine sees the arguments of a process.
- \`rpc\` (in a TypeScript or JavaScript file) holds functions that clients may call.
`;

/** The page docs/operations/configuration.md. */
export function renderConfigurationPage(): string {
  return [
    introduction,
    '## Options of a node\n',
    ...Object.entries(options).map(([name, spec]) => section(name, spec, true)),
    '## Options of a namespace\n',
    'A channel `chat:general` belongs to the namespace `chat`; a channel without a colon belongs to the one named `default`, if there is one. Names of namespaces are 1 to 64 of the characters `a-z 0-9 _ -`.\n',
    namespaceTable(namespaceOptions),
  ].join('\n');
}

function section(name: string, spec: OptionSpec, isTop: boolean): string {
  const flag = flagName(name, spec);
  const facts = [
    `default ${shownDefault(spec)}`,
    shownRange(spec),
    isTop ? `\`${variableName(name)}\`` : undefined,
    flag === undefined ? 'no flag' : `\`${flag}\``,
    `since ${spec.since}`,
  ];
  const deprecated = spec.deprecated === undefined ? '' : `**Deprecated: use \`${spec.deprecated.use}\`.** `;
  return `### ${name}\n\n${deprecated}${spec.description}\n\n${facts.filter((fact) => fact !== undefined).join(' · ')}\n`;
}

function namespaceTable(table: OptionTable): string {
  const rows = Object.entries(table).map(
    ([name, spec]) =>
      `| \`${name}\` | ${shownDefault(spec)} | ${shownRange(spec) ?? 'true or false'} | ${spec.description} |`,
  );
  return ['| option | default | values | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

function shownDefault(spec: OptionSpec): string {
  if (spec.default === '') return 'empty';
  if (Array.isArray(spec.default)) return 'none';
  return `\`${String(spec.default)}\``;
}

function shownRange(spec: OptionSpec): string | undefined {
  if (spec.choices !== undefined) return spec.choices.map((choice) => `\`${choice}\``).join(', ');
  if (spec.min === undefined || spec.max === undefined) return undefined;
  const unit = spec.unit === undefined ? '' : ` ${spec.unit}`;
  return `${formatWritten(spec, spec.min)} to ${formatWritten(spec, spec.max)}${unit}`;
}
