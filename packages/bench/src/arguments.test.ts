import assert from 'node:assert/strict';
import test from 'node:test';
import { readArguments } from './arguments.ts';

const scenario = {
  name: 'sample',
  options: {
    warmUp: { default: 5, description: 'connections before' },
    seconds: { default: 2, description: 'length' },
  },
};

test('options have their defaults, are named as flags are, and may be fractions', () => {
  assert.deepEqual(readArguments(scenario, []), { options: { warmUp: 5, seconds: 2 }, common: { repeat: 1 } });
  const { options, common } = readArguments(scenario, [
    '--warm-up',
    '0',
    '--seconds=0.5',
    '--repeat',
    '3',
    '--json',
    'a.json',
    '--profile',
    'b',
  ]);
  assert.deepEqual(options, { warmUp: 0, seconds: 0.5 });
  assert.deepEqual(common, { repeat: 3, json: 'a.json', profile: 'b' });
});

test('what is wrong is named, with what would be right', () => {
  assert.throws(() => readArguments(scenario, ['--secnds', '1']), /--secnds.*\n.*--warm-up, --seconds, --json/s);
  for (const value of ['many', '', '1e3', 'NaN', '0x10']) {
    assert.throws(() => readArguments(scenario, [`--seconds=${value}`]), /--seconds takes a number/);
  }
  for (const value of ['0', '1.5', '101']) {
    assert.throws(() => readArguments(scenario, ['--repeat', value]), /--repeat takes 1 to 100/);
  }
});
