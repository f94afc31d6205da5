import type { Browser } from 'playwright-core';

export interface Shot {
  name: string;
  png: Buffer;
}

interface SheetPlan {
  title: string;
  dark: boolean;
  /** How wide each picture is on the sheet, in pixels, and how many stand side by side. */
  width: number;
  columns: number;
}

/** All pictures of one look on one sheet: a page that shows them, and a picture of that. */
export async function sheet(browser: Browser, plan: SheetPlan, shots: readonly Shot[]): Promise<Buffer> {
  const { title, dark, width, columns } = plan;
  const page = await browser.newPage({ viewport: { width: columns * (width + 24) + 24, height: 800 } });
  await page.setContent(`<!doctype html><meta charset="utf-8"><style>
    body { margin: 24px; font: 15px "Liberation Sans", "Noto Sans CJK SC", sans-serif;
      color: ${dark ? '#cfd3e0' : '#3c4256'}; background: ${dark ? '#05060a' : '#d9d7d1'} }
    h1 { margin: 0 0 20px; font-size: 22px }
    div { columns: ${columns}; column-gap: 24px }
    figure { margin: 0; padding-bottom: 20px; break-inside: avoid }
    img { display: block; width: ${width}px }
    figcaption { margin-bottom: 6px }
  </style><h1>${title}</h1><div>${shots
    .map(({ name, png }) => `<figure><figcaption>${name}</figcaption><img src="${dataOf(png)}"></figure>`)
    .join('')}</div>`);
  await page.waitForFunction('[...document.images].every((image) => image.complete)');
  // As PNGs the sheets would be five times as large.
  const picture = await page.screenshot({ fullPage: true, type: 'webp', quality: 85 });
  await page.close();
  return picture;
}

export const dataOf = (png: Buffer): string => `data:image/png;base64,${png.toString('base64')}`;
