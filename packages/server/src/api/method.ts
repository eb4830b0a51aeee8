import { Rejection, rejections } from '@tutti/protocol';
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

const tenantParam = {
  tenant: {
    type: 'text',
    bytesMax: 64,
    description: 'Whose channels and users are meant. Needed where the node has tenants and the key has none.',
  },
} as const satisfies FieldTable;

/** The key may call it already; whether it may use the channels named is for `run` to check (`mustMayUse`). */
export function method<const Params extends FieldTable, const Result extends FieldTable>(spec: {
  readonly name: string;
  readonly summary: string;
  readonly params: Params;
  readonly result: Result;
  /** It concerns the node as a whole, and no tenant. */
  readonly ofNode?: true;
  run(params: ValuesOf<Params>, call: Call): Promise<ValuesOf<Result>> | ValuesOf<Result>;
}): ApiMethod {
  const { name, summary, result, ofNode } = spec;
  if (ofNode === true) return { ...spec, run: (params, call) => spec.run(params as ValuesOf<Params>, call) };
  // In one place for all methods: what they are given is the target within the tenant, and none has another.
  return {
    ...{ name, summary, result },
    params: { ...spec.params, ...tenantParam },
    run: (params, { target, key }) => {
      const { tenant } = params as ValuesOf<typeof tenantParam>;
      return spec.run(params as ValuesOf<Params>, { target: target.within(tenantFor(key, tenant)), key });
    },
  };
}

/** Throws `Rejection` where the key belongs to another tenant. */
function tenantFor(key: ApiKey, asked: string | undefined): string | undefined {
  if (key.tenant === undefined || asked === undefined || asked === key.tenant) return key.tenant ?? asked;
  throw new Rejection(rejections.permissionDenied, `permission denied: key "${key.name}" is another tenant's`);
}
