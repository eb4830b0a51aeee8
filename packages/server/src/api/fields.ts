/**
 * What the members of requests and results are, as data: from it come the reader of requests, the
 * types, and the OpenAPI document.
 */
export type FieldSpec = Described &
  (
    | { readonly type: 'text'; readonly bytesMax?: number }
    | { readonly type: 'boolean' }
    | { readonly type: 'integer'; readonly min?: number; readonly max?: number }
    /** Of results only. */
    | { readonly type: 'number' }
    /** Any JSON, carried as it was written. */
    | { readonly type: 'json' }
    | { readonly type: 'base64' }
    | { readonly type: 'texts'; readonly countMax: number }
    | { readonly type: 'tags' }
    | { readonly type: 'object'; readonly fields: FieldTable }
    /** Of results only. */
    | { readonly type: 'list'; readonly of: FieldTable }
    | { readonly type: 'map'; readonly of: FieldTable }
    /** Known elsewhere, and not kept here: ignoring it would do another thing than was asked for. */
    | { readonly type: 'refused' }
  );

interface Described {
  readonly description: string;
  /** In requests: refused without it. In results: always there. */
  readonly required?: true;
}

export type FieldTable = Readonly<Record<string, FieldSpec>>;

type ValueOf<Spec extends FieldSpec> = Spec extends { type: 'text' }
  ? string
  : Spec extends { type: 'boolean' }
    ? boolean
    : Spec extends { type: 'integer' | 'number' }
      ? number
      : Spec extends { type: 'json' | 'base64' }
        ? Uint8Array
        : Spec extends { type: 'texts' }
          ? readonly string[]
          : Spec extends { type: 'tags' }
            ? Record<string, string>
            : Spec extends { type: 'object'; fields: infer Fields extends FieldTable }
              ? ValuesOf<Fields>
              : Spec extends { type: 'list'; of: infer Fields extends FieldTable }
                ? readonly ValuesOf<Fields>[]
                : Spec extends { type: 'map'; of: infer Fields extends FieldTable }
                  ? Readonly<Record<string, ValuesOf<Fields>>>
                  : never;

type RequiredName<Table extends FieldTable> = {
  [Name in keyof Table]: Table[Name]['required'] extends true ? Name : never;
}[keyof Table];

/** The values of a table's fields. */
export type ValuesOf<Table extends FieldTable> = {
  readonly [Name in RequiredName<Table>]: ValueOf<Table[Name]>;
} & {
  readonly [Name in Exclude<keyof Table, RequiredName<Table>>]?: ValueOf<Table[Name]> | undefined;
};
