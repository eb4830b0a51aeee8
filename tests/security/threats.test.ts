import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../scripts/files.ts';
import { rulesOfPage, rulesProved } from '../../scripts/rule-coverage.ts';
import { proofsOf } from './threats-page.ts';
import { threats } from './threats.ts';

const spec = 'docs/spec/security.md';
const rules = rulesOfPage(spec, readFileSync(join(root, spec), 'utf8'));

test('every threat of the specification has one row, and no row is invented', () => {
  assert.deepEqual(
    threats.map(({ id }) => id),
    rules.map(({ id }) => id),
  );
});

for (const threat of threats) {
  const { id, open } = threat;
  test(`${id} is attacked where the table says, or is open with a reason`, () => {
    const proofs = proofsOf(threat);
    for (const file of proofs) {
      assert.ok(existsSync(join(root, file)), `${file} is not there`);
      const proved = rulesProved(readFileSync(join(root, file), 'utf8'));
      assert.ok(proved.has(id), `${file} has no test whose title begins with ${id}`);
    }
    const isLater = rules.find((rule) => rule.id === id)?.later === true;
    if (!isLater) assert.ok(proofs.length > 0, `${id} is due, and no test has it at the head of its title`);
    if (isLater) assert.ok((open ?? '').length > 20, `${id} is not due: say in threats.ts what to do until it is`);
  });
}
