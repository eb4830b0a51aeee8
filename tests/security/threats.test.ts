import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../scripts/files.ts';
import { rulesOfPage, rulesProved } from '../../scripts/rule-coverage.ts';
import { threats } from './threats.ts';

const spec = 'docs/spec/security.md';
const rules = rulesOfPage(spec, readFileSync(join(root, spec), 'utf8'));

test('every threat of the specification has one row, and no row is invented', () => {
  assert.deepEqual(
    threats.map(({ id }) => id),
    rules.map(({ id }) => id),
  );
});

for (const { id, proofs, open } of threats) {
  test(`${id} is attacked where the table says, or is open with a reason`, () => {
    for (const file of proofs) {
      assert.ok(existsSync(join(root, file)), `${file} is not there`);
      const proved = rulesProved(readFileSync(join(root, file), 'utf8'));
      assert.ok(proved.has(id), `${file} has no test whose title begins with ${id}`);
    }
    if (proofs.length === 0) assert.ok((open ?? '').length > 20, 'open, without a reason');
    const isLater = rules.find((rule) => rule.id === id)?.later === true;
    if (isLater) assert.ok(open !== undefined || proofs.length > 0);
    else assert.ok(proofs.length > 0, 'a rule that is due is attacked');
  });
}
