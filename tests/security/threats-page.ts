import { threats, type Threat } from './threats.ts';

/** docs/operations/security.md. */
export function renderThreatsPage(): string {
  const files = [...new Set(threats.flatMap(({ proofs }) => proofs))].sort();
  const number = new Map(files.map((file, i) => [file, i + 1]));
  const open = threats.filter((threat) => threat.open !== undefined);
  const row = ({ id, threat, proofs, open: rest }: Threat): string => {
    const state = proofs.length === 0 ? 'open' : rest === undefined ? 'met' : 'met in part';
    return `| ${id} | ${threat} | ${state} | ${proofs.map((file) => number.get(file)).join(', ')} |`;
  };
  return `<!-- Written by \`npm run docs\` from tests/security/threats.ts. -->

# Threats, and how far each is met

The rules are in [docs/spec/security.md](../spec/security.md). A threat is met where tests attack it and fail to do harm; each
has its id at the head of its title. \`npm test -- tests/security\` runs the attacks on nodes in processes of their own, some from
a real browser.

## What is open, and what to do about it

${open.map(({ id, threat, proofs, open: rest }) => `- **${id}**${proofs.length === 0 ? '' : ' (in part)'} ${threat}: ${rest}`).join('\n')}

## All of them

| | threat | | tests |
| --- | --- | --- | --- |
${threats.map(row).join('\n')}

${files.map((file, i) => `${i + 1}. \`${file}\``).join('\n')}
`;
}
