/**
 * Every version of the wire since the first, oldest first. A peer is never told the version: fields
 * are only added, and unknown ones are skipped, so old and new understand each other. An entry says
 * what changed; its hash is that of the schema (schema.test.ts prints the present one).
 */
export interface WireVersion {
  readonly version: number;
  readonly change: string;
  readonly schemaHash: string;
}

export const wireHistory: readonly WireVersion[] = [
  {
    version: 1,
    change: 'The Centrifuge client protocol v2 as Tutti uses it, and the first extensions (fields from 101 up).',
    schemaHash: 'ea1064d63ca6a94a9bec1edb155f59fe',
  },
  {
    version: 2,
    change: 'A subscription may ask for an interval; `conflated` is called `skipped` (before the first release).',
    schemaHash: '52777e86f2a471fd2b73f79c4807881f',
  },
  {
    version: 3,
    change:
      'The connect result says how large a frame may be; that a subscriber asks for a filter is seen, and refused.',
    schemaHash: '2221a620251f375b112e639a0dc72359',
  },
];

/**
 * The oldest version whose peers are still served. Raised only when a field is given up, which needs
 * a decision record: SDKs in the field are not ours to update.
 */
export const wireVersionMin = 1;
