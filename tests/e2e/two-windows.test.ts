import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { buildPages, ChatWindow, launchChromium, noChromium } from './chat-window.ts';
import { DevNode } from './dev-node.ts';

// The dashboard in a real browser: two windows of the chat, and a node that is killed under them.

const hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script> & "quoted"';

let browser: Browser;
before(async () => {
  if (noChromium !== false) return;
  buildPages();
  browser = await launchChromium();
});
after(() => browser?.close());

test(
  'DEL-5: two windows talk on, each message once, when the node is killed under them',
  { skip: noChromium },
  async () => {
    const node = await DevNode.start();
    try {
      const ada = await ChatWindow.open(browser, node.url, 'Ada <b>');
      const bob = await ChatWindow.open(browser, node.url, 'Bob');
      await ada.sees('.people .name', 'Bob');

      await ada.page.locator('.composer textarea').pressSequentially('he');
      await bob.sees('.typing', 'Ada <b> is typing');
      await ada.write(hostile);
      await bob.seesStored(hostile);
      await bob.write('hello Ada');
      await ada.seesStored('hello Ada');

      await node.kill();
      await ada.page.waitForSelector('.banner.warn');
      await ada.write('written while nobody was there');
      await ada.sees('.outgoing .state', 'Waits for the connection');
      await node.restart();
      await bob.seesStored('written while nobody was there');
      await ada.seesStored('written while nobody was there');
      await bob.write('and on it goes');
      for (const window of [ada, bob]) await window.seesStored('and on it goes');

      const expected = [hostile, 'hello Ada', 'written while nobody was there', 'and on it goes'];
      for (const window of [ada, bob]) {
        assert.deepEqual(await window.messages(), expected);
        assert.equal(await window.page.locator('.outgoing').count(), 0);
        assert.equal(await window.page.locator('.banner').count(), 0);
        assert.equal(await window.page.title(), 'Chat · Tutti');
        assert.deepEqual(window.problems, []);
      }
    } finally {
      await node.close();
    }
  },
);
