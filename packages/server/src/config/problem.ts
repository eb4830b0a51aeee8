import { nearestName } from './nearest-name.ts';

/** Where a value came from. `name` is how one finds it: a file, a variable, a flag. */
export interface Source {
  readonly kind: 'default' | 'dev' | 'file' | 'code' | 'variable' | 'flag';
  readonly name: string;
}

export const defaultSource: Source = { kind: 'default', name: 'default' };
/** Preset of `tutti dev`. */
export const devSource: Source = { kind: 'dev', name: 'preset of tutti dev' };

/** One thing that is wrong with a configuration. Never holds the value of a secret. */
export interface ConfigProblem {
  readonly source: Source;
  /** The option, as a path: `namespaces.chat.historySize`. Empty: the source as a whole. */
  readonly path: string;
  /** Continues the path: `must be a whole number`. */
  readonly message: string;
}

/** One line for people. */
export function formatProblem({ source, path, message }: ConfigProblem): string {
  // A variable or flag is the option, so its name says the path; what is inside it needs saying.
  const isNamed = source.kind === 'variable' || source.kind === 'flag';
  const shownPath = isNamed && !/[.[]/.test(path) ? '' : path;
  const place = source.kind === 'default' || source.kind === 'dev' ? '' : source.name;
  if (shownPath === '') return place === '' ? message : `${place} ${message}`;
  return place === '' ? `${shownPath} ${message}` : `${place}: ${shownPath} ${message}`;
}

/** `is not an option; did you mean historySize?` */
export function unknownName(wrong: string, valid: readonly string[], what: string): string {
  const near = nearestName(wrong, valid);
  return near === undefined ? `is not ${what}` : `is not ${what}; did you mean ${near}?`;
}
