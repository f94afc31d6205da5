/** The first two pages on a line of 400 ms and 50 kB/s, and on one over which no script ever comes. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { openSite, PASSWORD, ready, type Site, USER, visit } from './site.ts';

/** Compressed, in bytes, over the wire. */
const TWO_PAGES_AT_MOST = 60 * 1024;
const ADMINISTRATION_AT_MOST = 150 * 1024;

describe.skipIf(!hasChromium())('on a slow line', () => {
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Slows the page's connection down, and counts its scripts' bytes. */
  async function slow(page: Page): Promise<{ scriptBytes: () => number }> {
    const line = await page.context().newCDPSession(page);
    await line.send('Network.enable');
    await line.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 400,
      downloadThroughput: 50_000,
      uploadThroughput: 50_000,
    });
    const scripts = new Set<string>();
    let bytes = 0;
    line.on('Network.responseReceived', ({ requestId, response }) => {
      if (/javascript/.test(response.mimeType)) scripts.add(requestId);
    });
    line.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      if (scripts.has(requestId)) bytes += encodedDataLength;
    });
    return { scriptBytes: () => bytes };
  }
  async function fill(page: Page): Promise<void> {
    await page.getByLabel('E-mail address').fill(USER);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
  }

  test('login and my devices become usable, and their scripts are small on the wire', async () => {
    const { page, context, complaints } = await visit(browser);
    const { scriptBytes } = await slow(page);
    await page.goto(`${site.origin}/login`, { waitUntil: 'commit' });
    // The form is in the HTML: it is there before the script, and keeps its input.
    await page.getByLabel('E-mail address').fill(USER);
    await ready(page);
    expect(await page.getByLabel('E-mail address').inputValue()).toBe(USER);
    await fill(page);
    await page.locator('.device').first().waitFor();
    await page.getByRole('button', { name: 'Log out everywhere' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Log out everywhere' }).click();
    await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
    expect(scriptBytes()).toBeGreaterThan(5000);
    expect(scriptBytes()).toBeLessThan(TWO_PAGES_AT_MOST);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('the administration becomes usable, and its script is small on the wire', async () => {
    const { page, context, complaints } = await visit(browser);
    const { scriptBytes } = await slow(page);
    await page.goto(`${site.origin}/login?next=/admin`);
    await page.getByLabel('E-mail address').fill('admin@example.com');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('searchbox').fill('demo');
    await page.locator('.row-link').nth(1).waitFor();
    await page.getByRole('link', { name: 'Status' }).click();
    await page.locator('.tile').first().waitFor();
    expect(scriptBytes()).toBeLessThan(ADMINISTRATION_AT_MOST);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('without the script login and logout work, and the page says what is missing', async () => {
    const { page, context, complaints } = await visit(browser);
    await slow(page);
    await page.route('**/pages/*.js', (route) => route.abort('timedout'));
    await page.goto(`${site.origin}/login`);
    await fill(page);
    await page.waitForURL(`${site.origin}/devices`);
    await page.getByText('This page needs JavaScript.').waitFor();
    await page.getByRole('link', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${site.origin}/login?reason=you`);
    expect(await context.cookies()).toEqual([]);
    // The browser itself notes each script that did not come.
    expect(complaints.filter((one) => !/net::ERR_TIMED_OUT \(.*\/pages\/.*\.js\)/.test(one))).toEqual([]);
    await context.close();
  });
});
