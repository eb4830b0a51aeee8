import type { TestContext } from 'node:test';
import type { ApiKey } from '@tutti/server/config';
import { startNode, type StartedNode } from '@tutti/testkit';

export const fullKey = 'the-key-of-tests-that-may-do-all';

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  readonly body: {
    readonly result?: Readonly<Record<string, unknown>>;
    readonly error?: {
      readonly code: number;
      readonly message: string;
      readonly remedy?: string;
      readonly temporary?: boolean;
    };
    readonly replies?: readonly unknown[];
  };
}

export interface ApiNodeUnderTest {
  readonly node: StartedNode;
  /** `params`: an object, or a body as it is. */
  call(method: string, params?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

/** A node with an API key that may do all, and others besides. */
export async function startApi(
  t: TestContext,
  options: Parameters<typeof startNode>[0] & { keys?: readonly ApiKey[] } = {},
): Promise<ApiNodeUnderTest> {
  const apiKeys = options.keys ?? [{ name: 'full', key: fullKey, allow: ['*'] }];
  const node = await startNode({
    namespaces: {
      chat: { historySize: 100, presence: true },
      durable: { historySize: 100, durable: true },
      live: {},
      bytes: { historySize: 10, payload: 'binary' },
    },
    ...options,
    settings: { apiKeys, ...options.settings },
  });
  t.after(() => node.close());
  const call: ApiNodeUnderTest['call'] = async (method, params = {}, headers = {}) => {
    const response = await fetch(`${node.url}/api/${method}`, {
      method: 'POST',
      headers: { 'X-API-Key': fullKey, 'Content-Type': 'application/json', ...headers },
      body: typeof params === 'string' || params instanceof Uint8Array ? params : JSON.stringify(params),
    });
    const text = await response.text();
    return { status: response.status, text, headers: response.headers, body: JSON.parse(text) as Answer['body'] };
  };
  return { node, call };
}
