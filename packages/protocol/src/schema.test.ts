import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { messageType } from './message-types.ts';
import { schema, type FieldSpec, type MessageName } from './schema.ts';
import { wireHistory, wireVersionMin } from './wire-history.ts';

const messages = Object.entries<Record<string, FieldSpec>>(schema);

/** Independent of the order of rows: only what is on the wire counts. */
function schemaHash(): string {
  const rows = messages.flatMap(([message, fields]) =>
    Object.entries(fields).map(([name, field]) =>
      [message, name, field.number, field.type, field.message ?? '', field.repeated ?? false, field.required].join(' '),
    ),
  );
  return createHash('sha256').update(rows.sort().join('\n')).digest('hex').slice(0, 32);
}

test('the wire changes only with a new entry in wire-history.ts', () => {
  assert.equal(
    schemaHash(),
    wireHistory.at(-1)?.schemaHash,
    'schema.ts changed: add a version to wire-history.ts that says what changed, with this hash, and renew the golden frames',
  );
});

test('the wire history is a list without holes', () => {
  assert.deepEqual(
    wireHistory.map((entry) => entry.version),
    wireHistory.map((_, index) => index + 1),
  );
  assert.equal(new Set(wireHistory.map((entry) => entry.schemaHash)).size, wireHistory.length);
  for (const entry of wireHistory) assert.ok(entry.change.length > 10, `version ${entry.version} says what changed`);
  assert.ok(wireVersionMin >= 1 && wireVersionMin <= wireHistory.length);
});

test('field numbers are unique within a message and rows stand in ascending order', () => {
  for (const [message, fields] of messages) {
    const numbers = Object.values(fields).map((field) => field.number);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
      message,
    );
    // Protobuf keeps 19000–19999 to itself; the bits of a 32-bit integer bound the count.
    for (const number of numbers) assert.ok(number > 0 && number < 19_000, `${message} ${number}`);
    assert.ok(numbers.length <= 31, `${message} has a bit for each field`);
  }
});

test('fields beyond the Centrifuge protocol have numbers from 101 up, and only those', () => {
  const ours = messages.flatMap(([message, fields]) =>
    Object.entries(fields)
      .filter(([, field]) => field.number > 100)
      .map(([name]) => `${message}.${name}`),
  );
  assert.deepEqual(ours.sort(), [
    'ConnectResult.frame_bytes_max',
    'Publication.final',
    'Publication.skipped',
    'PublishRequest.expected_epoch',
    'PublishRequest.expected_offset',
    'PublishRequest.final',
    'PublishRequest.idempotency_key',
    'PublishResult.duplicate',
    'PublishResult.epoch',
    'PublishResult.offset',
    'SubRefreshRequest.interval',
    'SubRefreshResult.interval',
    'SubscribeRequest.interval',
    'SubscribeResult.interval',
  ]);
});

test('no message contains itself, so that nesting is bounded by the schema', () => {
  function depth(name: MessageName, path: readonly MessageName[]): number {
    assert.ok(!path.includes(name), `${[...path, name].join(' > ')} is a cycle`);
    const inner = messageType(name).fields.map((field) =>
      field.message === null ? 0 : depth(field.message.name, [...path, name]),
    );
    return 1 + Math.max(0, ...inner);
  }
  assert.ok(depth('Command', []) <= 4);
  assert.ok(depth('Reply', []) <= 6);
});
