import type { ApiKey } from '../config/api-key.ts';
import type { ApiTarget } from './contract.ts';
import type { FieldTable, ValuesOf } from './fields.ts';

/** Who calls, and what it is answered from. */
export interface Call {
  readonly target: ApiTarget;
  readonly key: ApiKey;
}

/** One method, its types forgotten: what a table of methods holds. */
export interface ApiMethod {
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  readonly params: FieldTable;
  readonly result: FieldTable;
  /** Throws `Rejection`, and what the target throws. */
  run(params: unknown, call: Call): unknown;
}

/** The key may call it already; whether it may use the channels named is for `run` to check (`mustMayUse`). */
export function method<const Params extends FieldTable, const Result extends FieldTable>(spec: {
  readonly name: string;
  readonly summary: string;
  readonly params: Params;
  readonly result: Result;
  run(params: ValuesOf<Params>, call: Call): Promise<ValuesOf<Result>> | ValuesOf<Result>;
}): ApiMethod {
  return { ...spec, run: (params, call) => spec.run(params as ValuesOf<Params>, call) };
}
