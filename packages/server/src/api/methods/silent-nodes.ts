import type { Heard } from '../contract.ts';
import type { FieldTable } from '../fields.ts';

/** Of results that concern all nodes. */
export const silentField = {
  silent_nodes: {
    type: 'texts',
    countMax: 1_000,
    description:
      'Names of nodes that did not answer in time; absent where all did. Nothing is known of them: ask again.',
  },
} as const satisfies FieldTable;

export function silentNodes({ silent }: Heard): { silent_nodes?: readonly string[] } {
  return silent.length === 0 ? {} : { silent_nodes: silent };
}
