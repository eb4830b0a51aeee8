import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decisionOf, renderDecisionIndex } from './decision-index.ts';

const text = '# 0007: Count in bytes\n\nStatus: accepted\nDate: 2026-11-22\n';

test('decisions: the index lists records by number', () => {
  const later = decisionOf('0007-bytes.md', text);
  const earlier = decisionOf('0002-node.md', text.replace('0007', '0002').replace('Count in bytes', 'One Node'));
  const rows = renderDecisionIndex([later, earlier])
    .split('\n')
    .filter((line) => line.startsWith('| 0'));
  assert.deepEqual(rows, [
    '| 0002 | [One Node](0002-node.md) | accepted | 2026-11-22 |',
    '| 0007 | [Count in bytes](0007-bytes.md) | accepted | 2026-11-22 |',
  ]);
});

test('decisions: a record without its head, or with a number taken, is refused', () => {
  assert.throws(() => decisionOf('0008-bytes.md', text), /wants a title "# 0008/);
  assert.throws(() => decisionOf('0007-bytes.md', text.replace('accepted', 'done')), /wants "Status/);
  assert.throws(() => decisionOf('0007-bytes.md', text.replace('Date', 'When')), /wants "Date/);
  const decision = decisionOf('0007-bytes.md', text);
  assert.throws(() => renderDecisionIndex([decision, decision]), /two decisions are numbered 0007/);
});
