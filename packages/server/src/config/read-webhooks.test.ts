import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { contradictions } from './contradictions.ts';
import { describeSettings } from './describe.ts';
import { defaultSettings } from './presets.ts';
import { readWebhooks } from './read-webhooks.ts';
import { webhookEventNames, type Webhook } from './webhook.ts';

const secret = 'a webhook secret of at least 32 bytes';
const sound = { name: 'app', url: 'https://app.example.com/tutti', secret, events: ['connected'] };

function read(written: unknown, folder = '.'): { webhooks: Webhook[]; problems: string[] } {
  const problems: string[] = [];
  const webhooks = readWebhooks(written, folder, (path, message) => problems.push(`${path} ${message}`));
  return { webhooks, problems };
}

test('a webhook needs little, and the rest has defaults', () => {
  assert.deepEqual(read([sound]), {
    webhooks: [
      {
        ...{ name: 'app', url: 'https://app.example.com/tutti', secrets: [secret], events: ['connected'] },
        ...{ batchMax: 100, batchDelayMs: 250 },
      },
    ],
    problems: [],
  });
  const { webhooks } = read([{ ...sound, events: '*', batchMax: 1, batchDelay: '2s', namespaces: ['chat'] }]);
  assert.deepEqual(webhooks[0]?.events, webhookEventNames);
  assert.deepEqual([webhooks[0]?.batchMax, webhooks[0]?.batchDelayMs, webhooks[0]?.namespaces], [1, 2_000, ['chat']]);
});

test('what is wrong with a webhook is said, with what to do, and never with its secret', () => {
  const wrong: [object, RegExp][] = [
    [{ url: 'ftp://app.example.com' }, /url must be like https:/],
    [{ url: 'https://ann:pass@app.example.com' }, /no user and password/],
    [{ secret: 'short' }, /needs 32 bytes or more.*openssl/],
    [{ secret: undefined }, /one of secret .*, secrets .* and secretFile/],
    [{ secrets: [secret] }, /one of secret/],
    [{ secret: undefined, secretFile: 'nowhere' }, /secretFile cannot be read/],
    [{ events: ['conected'] }, /did you mean connected\?/],
    [{ events: [] }, /events must name what it is told/],
    [{ events: 'connected' }, /"\*" or a list of: connected/],
    [{ name: 'My App' }, /name must be 1 to 32/],
    [{ name: '../x' }, /name must be 1 to 32/],
    [{ batchMax: 0 }, /batchMax must be from 1 to 1000/],
    [{ batchMax: 'many' }, /batchMax must be/],
    [{ batchDelay: 5 }, /\.batchDelay must be/],
    [{ namespaces: 'chat' }, /\.namespaces must be a list/],
    [{ header: 'x' }, /\.header/],
  ];
  for (const [change, expected] of wrong) {
    const { webhooks, problems } = read([{ ...sound, ...change }]);
    assert.match(problems.join('\n'), expected, JSON.stringify(change));
    assert.ok(webhooks.length === 0 || 'header' in change);
    assert.ok(!problems.join().includes(secret));
  }
  assert.match(read({}).problems[0] ?? '', /must be a list/);
  assert.match(read([1]).problems[0] ?? '', /must be \{name, url/);
  assert.match(read([sound, sound]).problems[0] ?? '', /name of an earlier webhook/);
});

test('a secret may stand in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-webhook-'));
  writeFileSync(join(folder, 'secret'), `${secret}\n`);
  const { webhooks, problems } = read([{ ...sound, secret: undefined, secretFile: 'secret' }], folder);
  rmSync(folder, { recursive: true });
  assert.deepEqual([webhooks[0]?.secrets, problems], [[secret], []]);
});

test('S26: http is accepted only where a private network is named', () => {
  const webhooks = read([{ ...sound, url: 'http://127.0.0.1/' }]).webhooks;
  const of = (webhookNetworks: readonly string[]): string[] =>
    contradictions({ ...defaultSettings(), allowAnonymous: true, webhooks, webhookNetworks }, 'serve').map(
      ({ message }) => message,
    );
  assert.match(of([])[0] ?? '', /has "app" with http: use https, or name the private network/);
  assert.deepEqual(of(['127.0.0.0/8']), []);
  assert.match(of(['localhost'])[0] ?? '', /neither an address nor a network/);
});

test('a namespace that is not configured is told, with the nearest name', () => {
  const { webhooks } = read([{ ...sound, namespaces: ['chatt'] }]);
  const settings = { ...defaultSettings(), allowAnonymous: true, webhooks };
  assert.match(contradictions(settings, 'serve')[0]?.message ?? '', /namespace chatt, which is not configured/);
});

test('S29: secrets of webhooks are masked where settings are shown', () => {
  const { webhooks } = read([{ ...sound, secret: undefined, secrets: [secret, `${secret}2`] }]);
  const shown = describeSettings({ ...defaultSettings(), webhooks }, new Map()).find(({ name }) => name === 'webhooks');
  assert.match(shown?.value ?? '', /"batchDelay":"250ms"/);
  assert.ok(!(shown?.value ?? '').includes(secret));
});
