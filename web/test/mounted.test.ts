/** The pages of an authority under a path of another program. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { ADMIN, logIn, openSite, PASSWORD, ready, type Site, USER, visit } from './site.ts';

const BASE = '/auth';

describe.skipIf(!hasChromium())('pages under a base path', () => {
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite({ CURFEW_BASE_PATH: BASE }), openBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('a login by the form leads to the devices, a notice ends the page, and the login page says why', async () => {
    const { page, complaints } = await visit(browser);
    const heard = new Promise<string>((resolve) => {
      page.on('websocket', (socket) => socket.on('framereceived', () => resolve(socket.url())));
    });
    await page.goto(`${site.origin}${BASE}/devices`);
    await ready(page);
    await page.fill('[name=email]', USER);
    await page.fill('[name=password]', PASSWORD);
    await page.click('button[type=submit]');
    await page.waitForURL(`${site.origin}${BASE}/devices`);
    await page.locator('.device').first().waitFor();
    expect(await heard).toBe(`${site.origin.replace('http', 'ws')}${BASE}/v1/notices`);
    const other = await site.call('POST', `${BASE}/v1/login`, { body: { email: USER, password: PASSWORD } });
    await site.call('POST', `${BASE}/v1/logout`, {
      bearer: other.json.access_token,
      body: { scope: 'others' },
    });
    await page.getByText('You were logged out from another of your devices.').waitFor();
    await page.getByRole('link', { name: 'Log in' }).click();
    await page.waitForURL((url) => url.pathname === `${BASE}/login`);
    expect(complaints).toEqual([]);
  });

  test('the administration opens its pages in place, and logs out', async () => {
    const { page, complaints } = await visit(browser);
    await logIn(page, site.origin + BASE, ADMIN, '/admin');
    await page.getByRole('link', { name: USER }).click();
    await page.waitForURL(`${site.origin}${BASE}/admin/users/2`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.goto(`${site.origin}${BASE}/admin/log`);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'CSV' }).click(),
    ]);
    expect(new URL(download.url()).pathname).toBe(`${BASE}/v1/admin/events`);
    await page.getByRole('button', { name: 'Log out', exact: true }).click();
    await page.getByRole('link', { name: 'Log in' }).waitFor();
    expect(complaints).toEqual([]);
  });
});
