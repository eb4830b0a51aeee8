import type { Random } from '../core/random.ts';

const lettersMax = 8;

/**
 * The name of this node; one that was given none makes its own. Letters and digits only: a name may not end with the
 * signs that ids have besides, and the others would refuse whatever such a node says.
 */
export function nodeNameOf({ nodeName }: { readonly nodeName: string }, random: Pick<Random, 'id'>): string {
  if (nodeName !== '') return nodeName;
  let letters = '';
  while (letters.length < lettersMax) letters += random.id().replace(/[^A-Za-z0-9]/g, '');
  return `node-${letters.slice(0, lettersMax)}`;
}
