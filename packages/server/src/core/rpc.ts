import { Rejection, rejections } from '@tutti/protocol';
import type { RpcContext, RpcHandler } from '../config/rpc-handler.ts';

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** The application's methods that clients may call. Payloads are JSON here, because handlers take values. */
export class RpcMethods {
  readonly #handlers: ReadonlyMap<string, RpcHandler>;

  constructor(handlers: Readonly<Record<string, RpcHandler>>) {
    this.#handlers = new Map(Object.entries(handlers));
  }

  has(method: string): boolean {
    return this.#handlers.has(method);
  }

  /** Throws `Rejection`, or whatever the handler throws. An empty answer means none. */
  async call(method: string, data: Uint8Array, context: RpcContext): Promise<Uint8Array> {
    const handler = this.#handlers.get(method);
    if (handler === undefined) throw new Rejection(rejections.methodNotFound);
    const answer = await handler(parse(data), context);
    return utf8.encode(JSON.stringify(answer) ?? '');
  }
}

function parse(data: Uint8Array): unknown {
  if (data.length === 0) return undefined;
  try {
    return JSON.parse(text.decode(data)) as unknown;
  } catch {
    throw new Rejection(rejections.badRequest, 'the data of this method must be JSON');
  }
}
