import type { SeededRandom } from '@tutti/testkit/seeded-random';

/** Pieces worth inserting: what the grammars are made of, and what has broken parsers before. */
export interface Dictionary {
  readonly tokens: readonly Uint8Array[];
  /** Frames begin with a length of one byte or more, which is mended now and then so that the inside is reached. */
  readonly lengthPrefixed: boolean;
}

const latin = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const utf8 = (text: string) => new TextEncoder().encode(text);

export const jsonDictionary: Dictionary = {
  lengthPrefixed: false,
  tokens: [
    ...'{ } [ ] , : " \\ \n \r 0 - . e E + t'.split(' ').map(utf8),
    ...[
      ' ',
      '\t',
      '\u0000',
      '\\u0000',
      '\\ud800',
      '\\udc00',
      '\\ud83c\\udfba',
      '\\"',
      '\\x',
      '\\u00',
      '\ufeff',
      '🎺',
    ].map(utf8),
    ...['null', 'true', 'false', '-0', '1e999', '0.1', '9007199254740993', '4294967296', '01', 'NaN'].map(utf8),
    ...['"id":', '"__proto__":', '"constructor":', '"data":', '"channel":"c"', '"subs":{', '{}', '[]', '""'].map(utf8),
    ...['"publish":{', '"connect":{', '"push":{', '"pub":{', '"headers":{', '"a":1,', '{"a":', '[['].map(utf8),
    utf8('['.repeat(33)),
    utf8('{"a":'.repeat(33)),
    utf8(Array.from({ length: 1_001 }, (_, i) => `"${i}":0,`).join('')),
    ...['\x80', '\xc0\x80', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xff', '\xc3', '\xe2\x82'].map(latin),
  ],
};

export const protobufDictionary: Dictionary = {
  lengthPrefixed: true,
  tokens: [
    ...[
      '\x00',
      '\x01',
      '\x7f',
      '\x80',
      '\x80\x00',
      '\xff\xff\xff\xff\x0f',
      '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01',
    ].map(latin),
    ...['\x80\x80\x80\x80\x10', '\xff\xff\xff\xff\xff\xff\xff\x0f', '\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01'].map(
      latin,
    ),
    ...Array.from({ length: 16 }, (_, number) => Uint8Array.of((number << 3) | 2, 0)),
    ...Array.from({ length: 16 }, (_, number) => Uint8Array.of((number << 3) | 0, 1)),
    ...[
      '\x0b',
      '\x0c',
      '\x0d\x00\x00\x00\x00',
      '\x09\x00\x00\x00\x00\x00\x00\x00\x00',
      '\xaa\x06\x00',
      '\xb0\x06\x01',
    ].map(latin),
    ...['\x0a\x00\x12\x00', '\x0a\x09__proto__', '\x1a\x04\x0a\x00\x12\x00', '\xc3\x28', '\xed\xa0\x80'].map(latin),
  ],
};

function replaced(input: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array {
  const output = new Uint8Array(from + by.length + input.length - to);
  output.set(input.subarray(0, from));
  output.set(by, from);
  output.set(input.subarray(to), from + by.length);
  return output;
}

/** Inputs grow by repetition; beyond this they are cut, so that a run's time is its count. */
const inputBytesMax = 16_384;

/** One to six changes to one of the corpus. The same random sequence makes the same input. */
export function mutate(corpus: readonly Uint8Array[], dictionary: Dictionary, random: SeededRandom): Uint8Array {
  let input: Uint8Array = random.pick(corpus).slice();
  // Mostly one: every further change makes it likelier that the first is never reached.
  for (let changes = random.chance(0.6) ? 1 : 2 + random.int(5); changes > 0; changes--)
    input = change(input, corpus, dictionary, random);
  if (input.length > inputBytesMax) input = input.slice(0, inputBytesMax);
  if (dictionary.lengthPrefixed && random.chance(0.6)) mendLength(input);
  return input;
}

function change(
  input: Uint8Array,
  corpus: readonly Uint8Array[],
  dictionary: Dictionary,
  random: SeededRandom,
): Uint8Array {
  const at = random.int(input.length + 1);
  const end = Math.min(input.length, at + 1 + random.int(8));
  switch (random.int(10)) {
    case 0: {
      if (at < input.length) input[at] = (input[at] as number) ^ (1 << random.int(8));
      return input;
    }
    case 1: {
      if (at < input.length) input[at] = random.int(256);
      return input;
    }
    case 2:
      return replaced(input, at, end, new Uint8Array(0));
    case 3:
      return replaced(input, at, at, input.slice(at, end));
    case 4:
    case 5:
      return replaced(input, at, at, random.pick(dictionary.tokens));
    case 6:
      return replaced(input, at, end, random.pick(dictionary.tokens));
    case 7: {
      const other = random.pick(corpus);
      return replaced(input, at, random.chance(0.5) ? input.length : at, other.subarray(random.int(other.length + 1)));
    }
    case 8:
      return input.slice(0, at);
    default: {
      const piece = random.pick(dictionary.tokens);
      const many = new Uint8Array(piece.length * (1 + random.int(40)));
      for (let offset = 0; offset < many.length; offset += piece.length) many.set(piece, offset);
      return replaced(input, at, at, many);
    }
  }
}

/** Makes a one-byte length in front fit what follows. */
function mendLength(input: Uint8Array): void {
  if (input.length > 1 && input.length <= 128) input[0] = input.length - 1;
}
