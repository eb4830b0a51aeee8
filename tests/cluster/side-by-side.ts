import type { Page } from 'playwright-core';

export interface Shown {
  readonly page: Page;
  readonly caption: string;
}

/** Writes a picture of these pages, one beside the other, each under what there is to say about it. */
export async function pictureSideBySide(file: string, shown: readonly Shown[]): Promise<void> {
  const figures: string[] = [];
  for (const { page, caption } of shown) {
    const image = (await page.screenshot()).toString('base64');
    figures.push(`<figure><figcaption>${caption}</figcaption><img src="data:image/png;base64,${image}"></figure>`);
  }
  const context = await shown[0]?.page.context().browser()?.newContext({ deviceScaleFactor: 1 });
  if (context === undefined) return;
  const canvas = await context.newPage();
  await canvas.setContent(`<style>
    body { margin: 0; background: #cfd6d3; display: inline-flex; gap: 24px; padding: 18px 24px 28px; }
    figure { margin: 0; }
    figcaption { font: 17px sans-serif; color: #1d2b27; padding: 0 2px 12px; }
    img { display: block; border-radius: 8px; box-shadow: 0 4px 16px #0003; }
  </style>${figures.join('')}`);
  await canvas.locator('body').screenshot({ path: file });
  await context.close();
}
