import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNodeName } from '../cluster/control-bus.ts';
import { nodeNameOf } from './node-name.ts';

test('PRE-3: a node without a name makes one that the others accept, whatever chance gives', () => {
  const ids = ['k5CDYgD-x9', 'LQh-1ix_x9', '--------__', '_-a', 'bcdefgh1', '-', '_', 'abc', '12345-_6'];
  const random = { id: () => ids.shift() ?? 'AAAAAAAAAAAAAAAA' };
  const names = Array.from({ length: 5 }, () => nodeNameOf({ nodeName: '' }, random));
  assert.deepEqual(names, ['node-k5CDYgDx', 'node-LQh1ixx9', 'node-abcdefgh', 'node-abc12345', 'node-AAAAAAAA']);
  assert.ok(names.every(isNodeName));
  assert.equal(nodeNameOf({ nodeName: 'eu-1' }, random), 'eu-1');
});
