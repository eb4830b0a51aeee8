import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { WebhookReceiver } from '@tutti/testkit/webhook-receiver';

import { RunningCommand } from '../testing/run-command.ts';

async function arrange(t: TestContext): Promise<{ cwd: string; receiver: WebhookReceiver }> {
  const cwd = mkdtempSync(join(tmpdir(), 'tutti-webhooks-'));
  const receiver = await WebhookReceiver.start();
  t.after(async () => {
    rmSync(cwd, { recursive: true });
    await receiver.close();
  });
  const { url, secret } = receiver;
  const webhooks = [{ name: 'app', url, secret, events: '*' }];
  writeFileSync(join(cwd, 'tutti.config.json'), JSON.stringify({ webhooks, webhookNetworks: ['127.0.0.1'] }));
  mkdirSync(join(cwd, 'data/webhooks/app'), { recursive: true });
  const letters = [1, 2, 3].map((n) => `{"at":1,"reason":"gave_up","event":{"id":"x-${n}","type":"connected"}}\n`);
  writeFileSync(join(cwd, 'data/webhooks/app/dead-letters.jsonl'), letters.join(''));
  return { cwd, receiver };
}

test('tutti webhooks replay offers dead letters again, and says how many were taken', async (t) => {
  const { cwd, receiver } = await arrange(t);
  receiver.answer = (_, response) => response.writeHead(503).end();
  const failed = await new RunningCommand(['webhooks', 'replay'], { cwd }).finished();
  assert.equal(failed.code, 1);
  assert.equal(failed.stdout, 'app: 0 delivered, 3 left: status 503\n');
  receiver.answer = (_, response) => response.writeHead(204).end();
  const replayed = await new RunningCommand(['webhooks', 'replay', 'app', '--json'], { cwd }).finished();
  assert.equal(replayed.code, 0, replayed.stderr);
  assert.equal(replayed.stdout, '{"type":"replayed","webhook":"app","delivered":3,"left":0}\n');
  assert.deepEqual(
    receiver.requests.at(-1)?.events.map(({ id }) => id),
    ['x-1', 'x-2', 'x-3'],
  );
  assert.ok(receiver.requests.every(({ isSigned }) => isSigned));
  assert.equal((await new RunningCommand(['webhooks', 'replay'], { cwd }).finished()).stdout, 'app: 0 delivered\n');
});

test('tutti webhooks replay of one that is not configured says which are', async (t) => {
  const { cwd } = await arrange(t);
  const { code, stderr } = await new RunningCommand(['webhooks', 'replay', 'ap'], { cwd }).finished();
  assert.equal(code, 1);
  assert.match(stderr, /no webhook is called ap\s+There are: app\./);
});
