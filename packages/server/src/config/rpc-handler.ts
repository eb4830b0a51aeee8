/** Who calls. */
export interface RpcContext {
  /** Empty for an anonymous user. */
  readonly user: string;
  /** Absent: of no tenant. */
  readonly tenant?: string;
  /** Id of the connection. */
  readonly client: string;
}

/**
 * An application's own method, called by clients with `rpc`. `data` is the parsed JSON the client
 * sent, undefined for none; what it returns (or resolves to) is the answer, as JSON. Throw
 * `Rejection` to refuse; anything else thrown is logged and answered with `internal`.
 */
export type RpcHandler = (data: unknown, context: RpcContext) => unknown;
