import { schema, type FieldSpec, type MessageName } from '@tutti/protocol/schema';
import type { SeededRandom } from '../seeded-random.ts';

/** Strings and keys that have broken codecs somewhere before. */
const texts = [
  'a',
  'chat:lobby',
  '',
  '\ufeffmark',
  'é π 漢字 🎺',
  '"quoted" \\ / \n \r \t \b \f',
  '\u0000\u001f\u007f\u2028\u2029',
  '__proto__',
  'constructor',
  'toString',
  '0',
  '4294967295',
  '\ud7ff\ue000\uffff\u{10ffff}',
  'x'.repeat(127),
  'y'.repeat(128),
  'z'.repeat(20_000),
];
const payloads = [
  '{}',
  '[]',
  '0',
  '""',
  'true',
  '-1.5e+300',
  '{"text":"hello","n":[1,2,{"deep":null}]}',
  '"é \\u00e9 \\ud83c\\udfba 🎺"',
  '{"__proto__":{"polluted":1},"a":1,"a":2}',
  `"${'p'.repeat(5_000)}"`,
];
const integers: Record<string, readonly number[]> = {
  uint32: [0, 1, 127, 128, 16_384, 2 ** 31, 2 ** 32 - 1],
  uint64: [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 35 + 5, 2 ** 49, Number.MAX_SAFE_INTEGER],
  int32: [0, 1, -1, -128, 2 ** 31 - 1, -(2 ** 31)],
  int64: [0, 1, -1, 2 ** 32, -(2 ** 32), -(2 ** 32) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
};

const encoder = new TextEncoder();

/**
 * A message of the schema with chosen content. `share` is how likely an optional field is set, 1 for
 * all of them. Payloads are never empty and never `null`: those JSON cannot tell from absent.
 */
export function sampleMessage(name: MessageName, random: SeededRandom, share: number): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const [fieldName, field] of Object.entries<FieldSpec>(schema[name])) {
    if (!field.required && !random.chance(share)) continue;
    message[fieldName] = sampleField(field, random, share);
  }
  return message;
}

function sampleField(field: FieldSpec, random: SeededRandom, share: number): unknown {
  const one = (): unknown =>
    field.message === undefined ? random.pick(texts) : sampleMessage(field.message, random, share);
  // Protobuf cannot tell an empty optional list or map from an absent one.
  const count = (field.required ? 0 : 1) + random.int(3);
  if (field.repeated) return Array.from({ length: count }, one);
  switch (field.type) {
    case 'string':
      return random.pick(texts);
    case 'bytes':
      return encoder.encode(random.pick(payloads));
    case 'bool':
      return random.chance(0.5);
    case 'message':
      return one();
    case 'map': {
      const map = Object.create(null) as Record<string, unknown>;
      for (let i = 0; i < count; i++) map[random.pick(texts)] = one();
      return map;
    }
    default:
      return random.pick(integers[field.type] ?? [0]);
  }
}
