/** A promise of docs/spec, written there as `- **DEL-1** text`, or `- **DEL-1** (later) text`. */
export interface Rule {
  id: string;
  page: string;
  /** Belongs to an issue that is not built yet: counted apart, and not asked for a test. */
  later: boolean;
}

export interface Coverage {
  due: number;
  later: number;
  untested: string[];
  unknown: string[];
  repeated: string[];
  early: string[];
}

const id = '(?:(?:DEL|BP|CON|PRE|CNT|DOC)-\\d+|S\\d{1,2})';

export function rulesOfPage(page: string, text: string): Rule[] {
  const found = text.matchAll(new RegExp(`^- \\*\\*(${id})\\*\\*( \\(later\\))?`, 'gm'));
  return [...found].map((match) => ({ id: match[1]!, page, later: match[2] !== undefined }));
}

/**
 * Ids that a file proves: those at the head of a test's title (`test('DEL-1, DEL-2: …'`), and those
 * a proof lists (`proves: ['DEL-5']`).
 */
export function rulesProved(source: string): Set<string> {
  const ids = new Set<string>();
  const title = new RegExp(
    `\\b(?:test|it|describe|suite)(?:[.]\\w+)?\\(\\s*['"\`](${id}(?:(?:, | and | )${id})*)\\b`,
    'g',
  );
  const listed = /\bproves: \[([^\]]*)\]/g;
  for (const pattern of [title, listed]) {
    for (const match of source.matchAll(pattern)) {
      for (const found of match[1]!.matchAll(new RegExp(`\\b${id}\\b`, 'g'))) ids.add(found[0]);
    }
  }
  return ids;
}

export function coverage(rules: readonly Rule[], proofs: ReadonlyMap<string, readonly string[]>): Coverage {
  const due = rules.filter((rule) => !rule.later);
  const known = new Map(rules.map((rule) => [rule.id, rule]));
  return {
    due: due.length,
    later: rules.length - due.length,
    untested: due.filter((rule) => !proofs.has(rule.id)).map((rule) => `${rule.id} (${rule.page})`),
    unknown: [...proofs].filter(([name]) => !known.has(name)).map(([name, files]) => `${name} in ${files.join(', ')}`),
    repeated: rules
      .filter((rule, at) => rules.findIndex((other) => other.id === rule.id) !== at)
      .map((rule) => rule.id),
    early: rules.filter((rule) => rule.later && proofs.has(rule.id)).map((rule) => rule.id),
  };
}
