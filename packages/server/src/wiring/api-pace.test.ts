import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startNode, type StartedNode } from '@tutti/testkit';

const key = 'a key of the server api of tests'.replaceAll(' ', '-');

async function nodeFor(t: TestContext, settings: object): Promise<StartedNode> {
  const apiKeys = [{ name: 'backend', key, allow: ['*'] }];
  const node = await startNode({ settings: { apiKeys, trustedProxies: ['127.0.0.1'], ...settings } });
  t.after(() => node.close());
  return node;
}

function ask(node: StartedNode, presented: string, address?: string): Promise<Response> {
  const forwarded = address === undefined ? {} : { 'x-forwarded-for': address };
  const headers = { 'x-api-key': presented, 'content-type': 'application/json', ...forwarded };
  return fetch(`${node.url}/api/info`, { method: 'POST', body: '{}', headers });
}

test('S9: who guesses keys is refused before the key is looked at, told when to retry, and nobody else is', async (t) => {
  const node = await nodeFor(t, {});
  const [guesser, other] = ['203.0.113.7', '203.0.113.8'];
  for (let n = 0; n < 5; n += 1) assert.equal((await ask(node, `guess-${n}`, guesser)).status, 401);
  const refused = await ask(node, 'guess-6', guesser);
  assert.equal(refused.status, 429);
  const seconds = Number(refused.headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= 12, `retry in ${seconds} s`);
  const { error } = (await refused.json()) as { error: { code: number; message: string } };
  assert.equal(error.code, 111);
  assert.match(error.message, /too many unknown keys came from this address: retry in \d+ ms/);
  assert.equal((await ask(node, key, guesser)).status, 429, 'a guess that is right tells nothing');
  assert.equal((await ask(node, key, other)).status, 200);
  const metrics = await (await fetch(node.server.metricsUrl)).text();
  assert.match(metrics, /tutti_api_refused_total\{reason="guesses"\} 2/);
});

test('S9: the addresses of one IPv6 network are one guesser; loopback is exempt', async (t) => {
  const node = await nodeFor(t, { apiFailuresMax: 3 });
  const statuses: number[] = [];
  for (let n = 1; n <= 4; n += 1) statuses.push((await ask(node, 'guess', `2001:db8:1:2::${n}`)).status);
  assert.deepEqual(statuses, [401, 401, 401, 429]);
  for (let n = 1; n <= 10; n += 1) assert.equal((await ask(node, 'guess')).status, 401);
});

test('S21: a key that asks more often than it may gets 429 with Retry-After', async (t) => {
  const node = await nodeFor(t, { apiKeyRateMax: 1 });
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(node, key)));
  assert.ok(answers.filter(({ status }) => status === 200).length >= 2);
  const refused = answers.find(({ status }) => status === 429);
  assert.equal(refused?.headers.get('retry-after'), '1');
});
