/** The pages for users with low vision, small screens, or another language. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { variants } from '../../packages/server/test/services/budget.ts';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import { faultsByTurns, WALKS, widthOf } from './axe.ts';
import { logIn, openSite, PASSWORD, ready, type Site, USER, visit } from './site.ts';

declare global {
  interface Window {
    movements: number[];
  }
}

describe.skipIf(!hasChromium())('the pages', () => {
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Walks through every state of the pages, and stops at each. */
  async function walk(page: Page, at: (where: string) => Promise<void>): Promise<void> {
    // Leftovers of an earlier walk.
    await site.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: { scope: 'user', user_id: 2 } });
    await page.goto(`${site.origin}/login?reason=administrator`);
    await ready(page);
    await at('login');
    await page.locator('[name=email]').fill(USER);
    await page.locator('[name=password]').fill('wrong');
    await page.locator('button[type=submit]').click();
    await page.getByRole('alert').waitFor();
    await at('login refused');
    await logIn(page, site.origin);
    await site.call('POST', '/v1/login', {
      body: { email: USER, password: PASSWORD, device: { name: 'W'.repeat(60) } },
      headers: { 'user-agent': 'curl/8' },
    });
    await page.locator('.device').nth(1).waitFor();
    await page.locator('summary').first().click();
    await at('devices');
    await page.locator('.device .plain').first().click();
    await page.getByRole('dialog').waitFor();
    await at('naming');
    await page.keyboard.press('Escape');
    await page.locator('.device:not(.current) .acts button:last-child').click();
    await page.locator('.notice.good').waitFor();
    await at('ended one');
    await page.locator('.ends .bad').click();
    await page.getByRole('dialog').waitFor();
    await at('asking');
    await page.locator('dialog .bad').click();
    await page.locator('.farewell').waitFor();
    await at('farewell');
    await page.goto(`${site.origin}/logout`);
    await at('logout');
    await logIn(page, site.origin);
    await page.goto(`${site.origin}/logout`);
    await at('logout asked');
    await page.locator('button.main').click();
    await page.waitForURL(/reason=you/);
  }

  test.each(variants(WALKS))(
    '%s: whole on a screen of 320 px, nothing is left in English, and axe finds nothing in either theme (turn %s)',
    { tags: 'long' },
    async (locale, first) => {
      const { page, context, complaints } = await visit(browser, {
        locale,
        viewport: { width: 320, height: 640 },
      });
      const found: string[] = [];
      let text = '';
      let turn: number | null = first;
      await walk(page, async (where) => {
        const width = await widthOf(page);
        if (width > 320) found.push(`${where}: ${width} px wide`);
        text += await page.locator('body').innerText();
        if (turn !== null)
          found.push(...(await faultsByTurns(page, turn++)).map((fault) => `${where}, ${fault}`));
      });
      expect(found).toEqual([]);
      expect(await page.locator('html').getAttribute('lang')).toBe(
        locale === 'zh-CN' ? 'zh-Hans' : locale.slice(0, 2),
      );
      if (locale !== 'en-GB') expect(text).not.toMatch(/\b(log|logged|device|password|you|after|this)\b/i);
      expect(complaints).toEqual([]);
      await context.close();
    },
  );

  test('movement stops for users who ask for it', async () => {
    const { page, context, complaints } = await visit(browser, { reducedMotion: 'no-preference' });
    await logIn(page, site.origin);
    await page.locator('.device').first().waitFor();
    // How many seconds each movement takes, as it begins.
    await page.evaluate(() => {
      window.movements = [];
      document.addEventListener('animationstart', ({ target }) => {
        window.movements.push(parseFloat(getComputedStyle(target as Element).animationDuration));
      });
    });
    // Someone else logs in, and for a while that row is lit.
    await site.call('POST', '/v1/login', { body: { email: USER, password: PASSWORD } });
    await page.waitForFunction(() => window.movements.some((seconds) => seconds > 1));
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await page.evaluate(() => (window.movements = []));
    await page.locator('.ends .bad').click();
    await page.getByRole('dialog').waitFor();
    await page.waitForFunction(() => window.movements.length > 0);
    expect(Math.max(...(await page.evaluate(() => window.movements)))).toBeLessThanOrEqual(0.001);
    expect(complaints).toEqual([]);
    await context.close();
  });
});
