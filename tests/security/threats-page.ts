import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesUnder, root } from '../../scripts/files.ts';
import { rulesProved } from '../../scripts/rule-coverage.ts';
import { threats, type Threat } from './threats.ts';

/**
 * The files of the row; of a row that names none, all that hold a test of its id. So a threat that was
 * open is no longer shown as that once it is attacked, and who wrote the attack is told by `npm run check`.
 */
export function proofsOf({ id, proofs }: Threat): readonly string[] {
  if (proofs.length > 0) return proofs;
  const files = filesUnder('packages', 'tests').filter((file) => file.endsWith('.test.ts'));
  return files.filter((file) => rulesProved(readFileSync(join(root, file), 'utf8')).has(id));
}

/** docs/operations/security.md. */
export function renderThreatsPage(): string {
  const rows = threats.map((threat) => ({ ...threat, proofs: proofsOf(threat) }));
  const files = [...new Set(rows.flatMap(({ proofs }) => proofs))].sort();
  const number = new Map(files.map((file, i) => [file, i + 1]));
  const open = rows.filter((threat) => threat.open !== undefined);
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
${rows.map(row).join('\n')}

${files.map((file, i) => `${i + 1}. \`${file}\``).join('\n')}
`;
}
