import assert from 'node:assert/strict';
import { test } from 'node:test';

import { namespaceOptions } from './namespace-options.ts';
import { isStructure, type OptionSpec } from './option-spec.ts';
import { options } from './options.ts';
import { formatWritten, parseWritten } from './written-value.ts';

function spec(type: OptionSpec['type'], more: Partial<OptionSpec> = {}): OptionSpec {
  return { type, default: '', description: '', since: '', ...more };
}

const good: [OptionSpec['type'], unknown, boolean, unknown][] = [
  ['duration', '250ms', false, 250],
  ['duration', '25s', false, 25_000],
  ['duration', '5m', true, 300_000],
  ['duration', '24h', true, 86_400_000],
  ['duration', '30d', true, 2_592_000_000],
  ['duration', 0, false, 0],
  ['duration', '0', true, 0],
  ['size', '64KiB', false, 65_536],
  ['size', '5MiB', true, 5_242_880],
  ['size', 100, false, 100],
  ['size', '100', true, 100],
  ['share', '10%', false, 0.1],
  ['share', 0.1, false, 0.1],
  ['share', '0.1', true, 0.1],
  ['integer', 3, false, 3],
  ['integer', '3', true, 3],
  ['boolean', true, false, true],
  ['boolean', 'true', true, true],
  ['boolean', true, true, true],
  ['boolean', '0', true, false],
  ['list', ['a'], false, ['a']],
  ['list', 'a, b,', true, ['a', 'b']],
  ['list', '', true, []],
  ['text', 'x', false, 'x'],
];
for (const [type, written, fromText, value] of good) {
  test(`${type} ${JSON.stringify(written)} is read`, () => {
    assert.deepEqual(parseWritten(spec(type), written, fromText), { value });
  });
}

const bad: [OptionSpec['type'], unknown, boolean][] = [
  ['duration', '25', true],
  ['duration', 25, false],
  ['duration', '1.5s', true],
  ['duration', '-1s', true],
  ['duration', '1 s', true],
  ['duration', '9999999999999s', true],
  ['size', '64KB', true],
  ['size', '64 KiB', true],
  ['size', 1.5, false],
  ['size', '100', false],
  ['share', 'ten', true],
  ['share', '10', true],
  ['integer', '3', false],
  ['integer', '3.5', true],
  ['integer', '1e3', true],
  ['integer', '', true],
  ['integer', NaN, false],
  ['boolean', 'true', false],
  ['boolean', 'yes', true],
  ['boolean', 1, false],
  ['list', 'a', false],
  ['list', [1], false],
  ['text', 7, false],
  ['text', null, false],
];
for (const [type, written, fromText] of bad) {
  test(`${type} ${String(written)} (${typeof written}) is refused`, () => {
    assert.ok('problem' in parseWritten(spec(type), written, fromText));
  });
}

test('bounds are inclusive, and named as one writes them', () => {
  const bounded = spec('duration', { min: 1_000, max: 3_600_000 });
  assert.deepEqual(parseWritten(bounded, '1s', true), { value: 1_000 });
  assert.deepEqual(parseWritten(bounded, '1h', true), { value: 3_600_000 });
  assert.deepEqual(parseWritten(bounded, '999ms', true), { problem: 'must be from 1s to 1h' });
  assert.deepEqual(parseWritten(bounded, '2h', true), { problem: 'must be from 1s to 1h' });
});

test('every default in the tables is within its own bounds and reads back as written', () => {
  for (const [name, option] of Object.entries({ ...options, ...namespaceOptions }) as [string, OptionSpec][]) {
    if (isStructure(option)) continue;
    const parsed = parseWritten(option, option.default, false);
    assert.ok('value' in parsed, name);
    assert.deepEqual(parseWritten(option, formatWritten(option, parsed.value), true), parsed, name);
  }
});
