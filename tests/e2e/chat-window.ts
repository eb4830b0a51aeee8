import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { requireService } from '@tutti/testkit/services';

const service = await requireService('chromium');
const buildDashboard = fileURLToPath(new URL('../../scripts/build-dashboard.ts', import.meta.url));
const waitMsMax = 20_000;

/** Why there is no Chromium here, to skip tests by; false where there is one. */
export const noChromium = 'skip' in service ? service.skip : false;

/** The pages as they are now; quick where nothing changed since the last build. */
export function buildPages(): void {
  execFileSync(process.execPath, [buildDashboard], { stdio: 'inherit' });
}

export function launchChromium(): Promise<Browser> {
  assert.ok('path' in service);
  return chromium.launch({
    executablePath: service.path,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
}

/** A window of the chat with a storage of its own, so that each is somebody else. */
export class ChatWindow {
  readonly page: Page;
  /** Errors of the page itself: a test ends with none. */
  readonly problems: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(waitMsMax);
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (message) => {
      // While its node is down, a browser reports each refused attempt as an error.
      if (message.type() === 'error' && !message.text().includes('WebSocket connection'))
        this.problems.push(message.text());
    });
  }

  /** Resolves when the person of this name is listed. */
  static async open(
    browser: Browser,
    url: string,
    name: string,
    options: BrowserContextOptions = {},
  ): Promise<ChatWindow> {
    const window = new ChatWindow(await (await browser.newContext(options)).newPage());
    await window.page.goto(`${url}/chat`);
    await window.page.getByLabel('Your name').fill(name);
    await window.page.getByLabel('Your name').press('Enter');
    await window.sees('.people .name', name);
    return window;
  }

  /** Waits for an element of this selector with exactly this text. */
  async sees(selector: string, text: string): Promise<void> {
    await this.page.waitForFunction(
      ([wanted, exact]) => [...document.querySelectorAll(wanted!)].some((element) => element.textContent === exact),
      [selector, text],
    );
  }

  /** Waits for a message of this text that the server has. */
  seesStored(text: string): Promise<void> {
    return this.sees(stored, text);
  }

  async write(text: string): Promise<void> {
    await this.page.locator('.composer textarea').fill(text);
    await this.page.locator('.composer textarea').press('Enter');
  }

  /** The messages that the server has, as they stand there. */
  messages(): Promise<string[]> {
    return this.page.locator(stored).allTextContents();
  }

  /** Who is here, with the number of their connections: `Bob ×2`. */
  async people(): Promise<string[]> {
    const rows = await this.page.locator('.people li').all();
    const texts = rows.map(async (row) => {
      const tags = (await row.locator('.tag').allTextContents()).filter((tag) => tag.startsWith('×'));
      return [await row.locator('.name').textContent(), ...tags].join(' ');
    });
    return Promise.all(texts);
  }
}

const stored = '.message:not(.outgoing) .text';
