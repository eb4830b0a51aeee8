import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { eventually, startNginx, type RunningProxy } from '@tutti/testkit';
import { startEngineServer, type EngineServer } from '@tutti/testkit/engine-server';
import { requireService } from '@tutti/testkit/services';
import { pictureSideBySide } from './side-by-side.ts';
import { buildPages, ChatWindow, launchChromium, noChromium } from '../e2e/chat-window.ts';
import { DevNode } from '../e2e/dev-node.ts';

// The chat on a cluster, in a real browser: one window on a node of its own, the other through nginx, on a node that
// is killed. TUTTI_PICTURE=file.png takes a picture of the end: docs/images/cluster-chat.png is one.

const nginx = await requireService('nginx');
const picture = process.env['TUTTI_PICTURE'];
const missing = {
  redis: await requireService('redis-server'),
  nats: await requireService('nats-server'),
};

/** What Ada writes, one after the other, with the end of Bob's node among them. */
const bars = Array.from({ length: 14 }, (_, n) => `bar ${n + 1}`);
const [hello, lost, back] = [
  'I am on another node',
  'did anybody hear that?',
  'my node is gone; I am on the third one now',
] as const;
const killedAt = 4;

let browser: Browser;
before(async () => {
  if (noChromium !== false) return;
  buildPages();
  browser = await launchChromium();
});
after(() => browser?.close());

for (const engineName of ['redis', 'nats'] as const) {
  const reasons = [
    noChromium,
    'skip' in nginx && nginx.skip,
    'skip' in missing[engineName] && missing[engineName].skip,
  ];
  const skip = reasons.find((reason) => reason !== false) ?? false;

  describe(`on ${engineName}`, { skip, timeout: 180_000 }, () => {
    let engine: EngineServer | undefined;
    let proxy: RunningProxy | undefined;
    const nodes: DevNode[] = [];
    before(async () => {
      if ('skip' in nginx) return;
      engine = await startEngineServer(engineName);
      for (const name of ['a', 'b', 'c']) nodes.push(await startNode(name, engine.url));
      // Not the first one: that is Ada's.
      const targets = nodes.slice(1).map(({ url }) => Number(new URL(url).port));
      proxy = await startNginx({ path: nginx.path, targets });
    });
    after(async () => {
      await proxy?.close();
      for (const node of nodes) await node.close();
      await engine?.close();
    });

    test('DEL-5, PRE-3: a window whose node is killed goes on through another one, and misses nothing', async () => {
      const [first, ...behindProxy] = nodes;
      assert.ok(first !== undefined && proxy !== undefined);
      const size = { viewport: { width: 830, height: 760 } };
      const ada = await ChatWindow.open(browser, first.url, 'Ada', { ...size, colorScheme: 'light' });
      const bob = await ChatWindow.open(browser, proxy.url, 'Bob', { ...size, colorScheme: 'dark' });
      await ada.sees('.people .name', 'Bob');
      await bob.sees('.people .name', 'Ada');
      await bob.write(hello);
      await ada.seesStored(hello);

      const victim = await nodeWithTheConnection(behindProxy);
      for (const [n, text] of bars.entries()) {
        if (n === killedAt) await victim.kill();
        // As a rule his page does not know yet that his node is gone.
        if (n === killedAt + 1) await bob.write(lost);
        await ada.write(text);
      }
      for (const window of [ada, bob]) for (const text of [...bars, lost]) await window.seesStored(text);
      await nodeWithTheConnection(behindProxy.filter((node) => node !== victim));
      await bob.write(back);
      for (const window of [ada, bob]) await window.seesStored(back);

      const shown = await ada.messages();
      assert.deepEqual(await bob.messages(), shown);
      assert.deepEqual(
        shown.filter((text) => bars.includes(text)),
        bars,
      );
      assert.deepEqual(
        shown.filter((text) => !bars.includes(text)),
        [hello, lost, back],
      );
      // His connection of before is listed until the others have given its node up.
      await eventually(async () => {
        for (const window of [ada, bob]) assert.deepEqual((await window.people()).toSorted(), ['Ada', 'Bob']);
        return true;
      });
      for (const window of [ada, bob]) {
        for (const sign of ['.outgoing', '.banner']) assert.equal(await window.page.locator(sign).count(), 0);
        assert.deepEqual(window.problems, []);
      }
      if (picture === undefined) return;
      await pictureSideBySide(picture, [
        { page: ada.page, caption: 'Ada, on node a' },
        { page: bob.page, caption: `Bob, through nginx; his node was killed after “${bars[killedAt - 1]}”` },
      ]);
    });
  });
}

function startNode(name: string, engine: string): Promise<DevNode> {
  const args = [
    '--node-name',
    name,
    '--engine',
    engine,
    '--node-lease',
    '2s',
    '--trusted-proxies',
    '127.0.0.1',
    '--no-demo',
  ];
  return DevNode.start(args);
}

/** Waits until one of them has a connection, and it only. */
async function nodeWithTheConnection(nodes: readonly DevNode[]): Promise<DevNode> {
  return eventually(async () => {
    const counts = await Promise.all(nodes.map(connectionsOf));
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      1,
    );
    return nodes[counts.indexOf(1)];
  });
}

async function connectionsOf(node: DevNode): Promise<number> {
  const metrics = await (await fetch(`${node.url}/metrics`)).text();
  const line = /^tutti_connections(?:\{.*\})? (\d+)$/m.exec(metrics);
  assert.ok(line?.[1] !== undefined, metrics);
  return Number(line[1]);
}
