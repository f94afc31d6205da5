import type { Browser, Page } from 'playwright-core';
import { type Camera, openCamera } from './camera.ts';
import { dataOf } from './sheet.ts';
import { EMAIL, PASSWORD } from './people.ts';

const LAPTOP =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
const PHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1';
const DESKTOP = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';
const HEIGHT = 600;
const BROWSERS = [
  { who: 'The laptop', agent: LAPTOP, width: 560 },
  { who: 'The phone', agent: PHONE, width: 320 },
  { who: 'The computer at work', agent: DESKTOP, width: 560 },
];

interface Frame {
  says: string;
  screens: Buffer[];
}

/**
 * A logout as three browsers see it: before, while the request is under way (the script holds it for the picture), and when the other two
 * know. It measures the time from releasing the request until the last of the two shows that the session is over.
 */
export async function series(browser: Browser, origin: string): Promise<Buffer> {
  const cameras: Camera[] = [];
  for (const { agent, width } of BROWSERS)
    cameras.push(
      await openCamera(browser, {
        origin,
        agent,
        locale: 'en-GB',
        look: { name: 'series', colorScheme: 'light', width, height: HEIGHT },
        keep: () => {},
      }),
    );
  const pages = cameras.map(({ page }) => page);
  const [laptop, ...others] = pages as [Page, Page, Page];
  for (const page of pages) await logIn(page, origin);
  for (const page of pages) await page.locator('.device').nth(2).waitFor();
  for (const page of pages) await page.reload();
  for (const page of pages) await page.locator('.device').nth(2).waitFor();
  const frames: Frame[] = [];
  const frame = async (says: string): Promise<void> => {
    const screens: Buffer[] = [];
    for (const page of pages) screens.push(await page.screenshot());
    frames.push({ says, screens });
  };
  await frame('One account, three browsers');

  for (const page of others)
    await page.evaluate(`new MutationObserver((_, self) => {
      if (!document.querySelector('.farewell')) return;
      globalThis.knewAt = Date.now();
      self.disconnect();
    }).observe(document.body, { childList: true, subtree: true })`);
  let letGo = (): void => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  await laptop.route('**/v1/logout', async (route) => {
    await held;
    await route.continue();
  });
  await laptop.locator('.ends button').first().click();
  await laptop.locator('dialog .main').click();
  await laptop.locator('dialog [aria-disabled]').waitFor();
  await frame('“Log out all other devices” is pressed on the laptop');

  const before = Date.now();
  letGo();
  for (const page of others) await page.locator('.farewell').waitFor();
  await laptop.locator('.notice.good').waitFor();
  const knew = await Promise.all(others.map((page) => page.evaluate<number>('globalThis.knewAt')));
  await frame(`${Math.max(...knew) - before} ms later: nobody has reloaded anything`);
  await laptop.locator('.account button').click();
  await laptop.locator('.farewell').waitFor();
  for (const { context } of cameras) await context.close();
  return compose(browser, frames);
}

async function logIn(page: Page, origin: string): Promise<void> {
  await page.goto(`${origin}/login`);
  await page.fill('[name=email]', EMAIL);
  await page.fill('[name=password]', PASSWORD);
  await page.click('button[type=submit]');
  await page.locator('.device').first().waitFor();
}

async function compose(browser: Browser, frames: readonly Frame[]): Promise<Buffer> {
  const page = await browser.newPage({ viewport: { width: 1560, height: 800 } });
  const screen = (png: Buffer, i: number): string =>
    `<figure><img src="${dataOf(png)}"><figcaption>${BROWSERS[i]?.who ?? ''}</figcaption></figure>`;
  await page.setContent(`<!doctype html><meta charset="utf-8"><style>
    body { margin: 32px; display: grid; gap: 32px; font: 20px "Liberation Sans", sans-serif; color: #1c2030; background: #dfe3ee }
    section { display: grid; gap: 16px }
    h2 { margin: 0; font-size: 28px }
    h2 b { display: inline-grid; place-items: center; width: 1.6em; height: 1.6em; margin-right: 0.5em; border-radius: 50%;
      color: #fff; background: #2f4494; font-size: 0.8em }
    div { display: flex; gap: 28px }
    figure { margin: 0 }
    img { display: block; border: 1px solid #b9bfd0; border-radius: 12px }
    figcaption { margin-top: 8px; text-align: center; color: #4b5268 }
  </style>${frames
    .map(
      ({ says, screens }, i) =>
        `<section><h2><b>${i + 1}</b>${says}</h2><div>${screens.map(screen).join('')}</div></section>`,
    )
    .join('')}`);
  await page.waitForFunction('[...document.images].every((image) => image.complete)');
  const png = await page.screenshot({ fullPage: true });
  await page.close();
  return png;
}
