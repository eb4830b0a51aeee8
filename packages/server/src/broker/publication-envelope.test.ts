import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PublicationDraft } from './broker.ts';
import { decodePublication, encodeEnvelope } from './publication-envelope.ts';

const bytes = fc.uint8Array({ maxLength: 20 });
const text = fc.string({ unit: 'grapheme', maxLength: 10 });

const drafts = fc.record(
  {
    data: bytes,
    info: fc.record(
      { user: text, client: text, conn_info: bytes, chan_info: bytes },
      { requiredKeys: ['user', 'client'], noNullPrototype: true },
    ),
    tags: fc.dictionary(text, text, { noNullPrototype: true }),
    key: text,
    final: fc.boolean(),
  },
  { requiredKeys: ['data'], noNullPrototype: true },
);

test('whatever a draft carries comes back, and nothing else', () => {
  fc.assert(
    fc.property(drafts, (draft: PublicationDraft) => {
      const decoded = decodePublication(3, 7, draft.data, encodeEnvelope(draft));
      assert.deepEqual(decoded, { ...draft, offset: 3, time: 7 });
    }),
  );
});

test('a bare payload stores no envelope', () => {
  assert.equal(encodeEnvelope({ data: new Uint8Array(1) }), null);
});

test('an envelope with a field of a later version is read', () => {
  const decoded = decodePublication(1, 2, new Uint8Array(0), '{"key":"k","later":{"x":1}}');
  assert.deepEqual(decoded, { data: new Uint8Array(0), offset: 1, time: 2, key: 'k' });
});

test('a time of its own goes before the time of the row', () => {
  const decoded = decodePublication(1, 2, new Uint8Array(0), encodeEnvelope({ data: new Uint8Array(0) }, 5));
  assert.deepEqual(decoded, { data: new Uint8Array(0), offset: 1, time: 5 });
});
