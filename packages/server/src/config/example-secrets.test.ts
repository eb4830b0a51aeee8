import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadConfig } from './load.ts';

const real = 'q7JX0m2rZt5yB8nKcV1eL4wHsG6uPaDf';

test('a secret that stands in the guides is warned of, wherever it stands; another is not', async () => {
  const warningsOf = async (env: Record<string, string>): Promise<readonly string[]> => {
    const { warnings } = await loadConfig({ env, cwd: '/' });
    return warnings.filter((warning) => warning.includes('documentation'));
  };
  const apiKeys = (key: string): string => JSON.stringify([{ name: 'shop', key, allow: '*' }]);
  assert.deepEqual(await warningsOf({ TUTTI_TOKEN_HMAC_SECRET: real, TUTTI_API_KEYS: apiKeys(real) }), []);
  const [token, ...others] = await warningsOf({ TUTTI_TOKEN_HMAC_SECRET: 'replace-me-by-openssl-rand-base64-48' });
  assert.match(token ?? '', /^tokenHmacSecret holds a secret of the documentation/);
  assert.deepEqual(others, []);
  const copied = { TUTTI_TOKEN_HMAC_SECRET: real, TUTTI_API_KEYS: apiKeys('another-one-by-openssl-rand-hex-32') };
  assert.match((await warningsOf(copied)).join(), /^apiKeys holds/);
});
