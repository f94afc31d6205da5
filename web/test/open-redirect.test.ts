/** Hostile values of `next`, in a real browser: a login or logout ends on the authority's own origin. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { variants } from '../../packages/server/test/services/budget.ts';
import { openSite, PASSWORD, type Site, USER, visit } from './site.ts';

/** As in the address, after `next=`. `return-address.test.ts` has hundreds more, without a browser. */
const TRICKS = variants([
  '//evil.test',
  '/@evil.test',
  '///evil.test',
  '/\\evil.test',
  '\\\\evil.test',
  '/%09/evil.test',
  '/%0a/evil.test',
  '/%0d%0a/evil.test',
  '/%5cevil.test',
  '%2f%2fevil.test',
  '/%2f/evil.test',
  '/%252f/evil.test',
  '%252f%252fevil.test',
  '/.//evil.test',
  '/%2e%2e//evil.test',
  '@evil.test',
  '.evil.test',
  ':80@evil.test',
  'https:evil.test',
  'https://evil.test',
  'http:/evil.test',
  '%09//evil.test',
  'java%0ascript:document.title=%27owned%27',
  'javascript:document.title=%27owned%27//',
  'data:text/html,<title>owned</title>',
  'blob:https://evil.test/1',
  '/login?next=//evil.test',
]);
/** Nearly all are refused; these are odd paths of this origin. */
const PATHS_OF_OURS: Record<string, string> = {
  '/%252f/evil.test': '/%2f/evil.test',
  '/@evil.test': '/@evil.test',
};

describe.skipIf(!hasChromium())('no way to another origin', () => {
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
    // The address counts, not its content.
    site.instead['/devices'] = '<!doctype html><link rel="icon" href="data:,"><title>My devices</title>';
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Hosts that were asked for anything. */
  function watch(context: BrowserContext): Set<string> {
    const origins = new Set<string>();
    context.on('request', (request) => origins.add(new URL(request.url()).origin));
    return origins;
  }
  async function enter(page: Page): Promise<void> {
    await page.fill('[name=email]', USER);
    await page.fill('[name=password]', PASSWORD);
    await page.click('button[type=submit]');
    await page.waitForURL((url) => url.pathname !== '/login');
  }

  test.each([
    ['with a script', true],
    ['without', false],
  ])('after a login, %s', { tags: 'long' }, async (_name, javaScriptEnabled) => {
    const { page, context, complaints } = await visit(browser, { javaScriptEnabled });
    const asked = watch(context);
    for (const trick of TRICKS) {
      await context.clearCookies();
      await page.goto(`${site.origin}/login?next=${trick}`);
      if (javaScriptEnabled) await page.waitForSelector('html[data-ready]');
      await enter(page);
      const path = PATHS_OF_OURS[trick] ?? '/devices';
      expect([trick, page.url()]).toEqual([trick, site.origin + path]);
    }
    expect([...asked]).toEqual([site.origin]);
    // The odd ones are pages that there are not.
    expect(complaints.filter((one) => !/status of 404 /.test(one))).toEqual([]);
    await context.close();
  });

  test('for a logged-in user, and after a logout', { tags: 'long' }, async () => {
    const { page, context, complaints } = await visit(browser);
    const asked = watch(context);
    await page.goto(`${site.origin}/login`);
    await enter(page);
    for (const trick of TRICKS) {
      await page.goto(`${site.origin}/login?next=${trick}`);
      expect([trick, new URL(page.url()).origin]).toEqual([trick, site.origin]);
      expect(await page.title()).not.toBe('owned');
    }
    for (const trick of TRICKS) {
      await page.goto(`${site.origin}/logout?next=${trick}`);
      await page.getByRole('heading', { name: 'Log out' }).waitFor();
      const kept = await page
        .locator('[name=next]')
        .evaluateAll((all) => all.map((one) => one.getAttribute('value')));
      for (const next of kept) expect(new URL(next ?? '', site.origin).origin).toBe(site.origin);
    }
    // And where the form has been tampered with.
    await page.locator('form').evaluate((form) => {
      const next = document.createElement('input');
      next.name = 'next';
      next.value = '//evil.test';
      form.querySelector('[name=next]')?.remove();
      form.append(next);
    });
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${site.origin}/login?reason=you`);
    expect([...asked]).toEqual([site.origin]);
    expect(complaints.filter((one) => !/status of 404 /.test(one))).toEqual([]);
    await context.close();
  });
});
