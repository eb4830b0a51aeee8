const moods = [
  'Brisk',
  'Calm',
  'Bright',
  'Gentle',
  'Lively',
  'Quiet',
  'Bold',
  'Warm',
  'Merry',
  'Swift',
  'Mellow',
  'Keen',
];
const instruments = [
  'Oboe',
  'Viola',
  'Cello',
  'Flute',
  'Horn',
  'Harp',
  'Celesta',
  'Bassoon',
  'Piccolo',
  'Timpani',
  'Lute',
  'Cornet',
];

export const nameLengthMax = 32;
export const roomLengthMax = 32;

/** A friendly name for who has not chosen one. `random` is in [0, 1). */
export function randomName(random: () => number): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? words[0] ?? '';
  return `${pick(moods)} ${pick(instruments)}`;
}

/** A name as it will be used: one line, no control or direction characters, bounded; empty where nothing is left. */
export function cleanName(text: string): string {
  const visible = text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return Array.from(visible).slice(0, nameLengthMax).join('').trim();
}

/** The part of a channel name behind `chat:`: lower case letters, digits and hyphens; empty where nothing is left. */
export function cleanRoom(text: string): string {
  const plain = text
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, roomLengthMax);
  return plain.replace(/^-+|-+$/g, '');
}

/** A hue in degrees that is always the same for a name. */
export function hueOf(name: string): number {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return hash % 360;
}

/** One or two letters to stand for a name. */
export function initialsOf(name: string): string {
  const words = name.split(/[\s_-]+/).filter((word) => word !== '');
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) =>
    word ? Array.from(word)[0] : '',
  );
  return letters.join('').toUpperCase() || '?';
}
