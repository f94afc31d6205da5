/** How the administration looks to whoever sees little, uses a small screen, or reads another language; and how heavy it is. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gunzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import { ADMIN, CHROMIUM, logIn, openBrowser, openSite, type Site, visit } from './site.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const BUILT = new URL('../../packages/server/assets/web/', import.meta.url);

interface AxeResult {
  violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** What axe finds on the page as it stands, one line each. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResult> } }).axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

describe.skipIf(CHROMIUM === undefined)('the administration', () => {
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
    const start = (): Promise<{ json: { access_token: string } }> =>
      site.call('POST', '/v1/admin/sessions', { bearer: SERVICE_KEY, body: { user_id: 2 } });
    const [{ json }] = await Promise.all([start(), start(), start()]);
    await site.call('POST', '/v1/logout', { bearer: json.access_token });
    await site.call('POST', '/v1/admin/users', {
      bearer: SERVICE_KEY,
      body: { email: `${'w'.repeat(60)}@example.com`, name: 'W'.repeat(200) },
    });
    await site.call('PATCH', '/v1/admin/users/3', { bearer: SERVICE_KEY, body: { disabled: true } });
  }, 30_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Walks through the pages and their dialogs, and stops at each. */
  async function walk(page: Page, at: (where: string) => Promise<void>): Promise<void> {
    const escape = async (): Promise<void> => {
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    };
    await logIn(page, site.origin, ADMIN, '/admin');
    await page.locator('.row-link').nth(2).waitFor();
    await at('users');
    await page.getByRole('searchbox').fill('nobody at all');
    await page.locator('.row-link').first().waitFor({ state: 'detached' });
    await at('nobody found');
    await page.goto(`${site.origin}/admin/users/3`);
    await page.locator('.badge.bad').waitFor();
    await at('a disabled user');
    await page.goto(`${site.origin}/admin/users/2`);
    await page.locator('.session').first().waitFor();
    await page.locator('.event').first().waitFor();
    await page.locator('.session input').first().check();
    await page.locator('.ended summary').click();
    await page.locator('.session.over').first().waitFor();
    await at('a user');
    for (const button of ['.two aside button >> nth=0', '.two aside button >> nth=1', '.choices .bad']) {
      await page.locator(button).click();
      await page.getByRole('dialog').waitFor();
      await at(`asking, ${button}`);
      await escape();
    }
    await page.goto(`${site.origin}/admin/applications`);
    await page.locator('.application').first().waitFor();
    await at('applications');
    await page.locator('.everyone button').click();
    await page.locator('.number-to-type').waitFor();
    await at('everyone');
    await escape();
    await page.goto(`${site.origin}/admin/log`);
    await page.locator('.event').first().waitFor();
    await page.locator('.filters summary').click();
    await at('the log');
    await page.goto(`${site.origin}/admin/state`);
    await page.locator('.chart canvas').waitFor();
    await at('the state');
    await page.goto(`${site.origin}/admin/nowhere`);
    await page.locator('.section h1').waitFor();
    await at('nowhere');
  }
  const complaintsOf = (complaints: string[]): string[] =>
    complaints.filter((one) => !/status of 409 /.test(one));

  test.each([
    ['light', 1100],
    ['dark', 360],
  ] as const)('axe finds nothing, %s', { timeout: 60_000 }, async (colorScheme, width) => {
    // Only so that axe can be brought in: the policy forbids it.
    const { page, context, complaints } = await visit(browser, {
      bypassCSP: true,
      colorScheme,
      viewport: { width, height: 740 },
    });
    await context.addInitScript({ content: AXE });
    const found: string[] = [];
    await walk(page, async (where) => {
      found.push(...(await faults(page)).map((fault) => `${where}: ${fault}`));
    });
    expect(found).toEqual([]);
    expect(complaintsOf(complaints)).toEqual([]);
    await context.close();
  });

  test.each(['en-GB', 'pl-PL', 'vi-VN', 'zh-CN'])(
    '%s: whole on a screen of 320 px, and nothing is left in English',
    { timeout: 60_000 },
    async (locale) => {
      const { page, context, complaints } = await visit(browser, {
        locale,
        viewport: { width: 320, height: 640 },
      });
      const wide: string[] = [];
      let text = '';
      await walk(page, async (where) => {
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        if (width > 320) wide.push(`${where}: ${width}`);
        text += await page.locator('body').innerText();
      });
      expect(wide).toEqual([]);
      if (locale !== 'en-GB')
        expect(text).not.toMatch(/\b(logged|sessions|ended|password|you|after|this)\b/i);
      expect(complaintsOf(complaints)).toEqual([]);
      await context.close();
    },
  );

  test('less than 150 KB of script, compressed, in every language', () => {
    const { pages, languages } = JSON.parse(readFileSync(new URL('pages.json', BUILT), 'utf8'));
    const { script, modules } = pages.administration;
    const sizeOf = (file: string): number => {
      const compressed = readFileSync(new URL(`${file}.gz`, BUILT));
      expect(gunzipSync(compressed).length).toBeGreaterThan(0);
      return compressed.length;
    };
    const scripts = [script, ...modules].reduce((sum: number, file: string) => sum + sizeOf(file), 0);
    for (const language of Object.values<{ files: { administration: string } }>(languages))
      expect(scripts + sizeOf(language.files.administration)).toBeLessThan(150 * 1024);
    // And the pages of everybody have none of it.
    const { modules: others } = pages.devices;
    expect(others.some((file: string) => /administration|uplot/i.test(file))).toBe(false);
  });
});
