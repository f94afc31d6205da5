/** The elements in a page of another origin: `examples/elements`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { freePort } from '../../packages/server/test/services/ports.ts';
import { openSite, PASSWORD, type Site, USER, visit } from './site.ts';

describe.skipIf(!hasChromium())('examples/elements', () => {
  let site: Site;
  let browser: Browser;
  let shop: ChildProcess;
  let origin: string;
  beforeAll(async () => {
    const port = await freePort();
    origin = `http://localhost:${port}`;
    [site, browser] = await Promise.all([openSite({ CURFEW_TRUSTED_ORIGINS: origin }), openBrowser()]);
    const file = join(import.meta.dirname, '..', '..', 'examples', 'elements', 'server.ts');
    shop = spawn(process.execPath, [file], {
      env: { PATH: process.env['PATH'], PORT: String(port), AUTHORITY: site.origin },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (!shop.stdout) throw new Error('the example has no output');
    await once(createInterface(shop.stdout), 'line');
  });
  afterAll(async () => {
    shop?.kill('SIGTERM');
    await browser?.close();
    await site?.close();
  });

  test('keep the path of an authority', async () => {
    const { page, context } = await visit(browser);
    await page.goto(origin);
    await page.getByLabel('E-mail address').waitFor();
    const asked = page.waitForRequest((request) => request.url().startsWith(`${site.origin}/auth/`));
    await page
      .locator('curfew-login')
      .evaluate((one, to) => one.setAttribute('authority', to), `${site.origin}/auth/`);
    await page.getByLabel('E-mail address').fill(USER);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
    expect((await asked).url()).toBe(`${site.origin}/auth/v1/login`);
    await context.close();
  });

  test('log in, list the devices, and hear of an ending, under the page’s own policy and in its colours', async () => {
    const { page, context, complaints } = await visit(browser, { colorScheme: 'dark' });
    await page.goto(origin);
    await page.getByLabel('E-mail address').fill(USER);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    const button = page.getByRole('button', { name: 'Log in' });
    expect(await button.evaluate((one) => getComputedStyle(one).backgroundColor)).toBe('rgb(11, 107, 79)');
    // The page is light only, whatever the system prefers, and so is the element.
    expect(
      await page.locator('curfew-login .card').evaluate((one) => getComputedStyle(one).backgroundColor),
    ).toBe('rgb(255, 255, 255)');
    expect(await button.evaluate((one) => getComputedStyle(one).fontFamily)).toContain('Georgia');
    await button.click();
    await page.getByText('You are logged in on one device.').waitFor();
    expect(await button.isVisible()).toBe(false);

    const other = await site.call('POST', '/v1/login', {
      body: { email: USER, password: PASSWORD },
      headers: { 'user-agent': 'curl/8' },
    });
    await page.locator('.device', { hasText: 'curl' }).waitFor();
    const bearer = other.json['access_token'] as string;
    expect((await site.call('POST', '/v1/logout', { bearer, body: { scope: 'others' } })).status).toBe(200);
    await page.getByText('You were logged out from another of your devices.').waitFor();
    // The shop has heard of it too, and shows the form again.
    await button.waitFor();
    await page.getByLabel('E-mail address').fill(USER);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    const logins: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST' && request.url().endsWith('/v1/login')) logins.push(request.url());
    });
    // Two clicks before it is drawn anew. No other page comes here, which would hide a second login.
    await button.evaluate((one: HTMLButtonElement) => {
      one.click();
      one.click();
    });
    await page.getByText('You are logged in on 2 devices.').waitFor();
    await new Promise((wake) => setTimeout(wake, 500));
    expect(logins).toHaveLength(1);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('use the language of the page around them, and leave nothing behind', async () => {
    const { page, context, complaints } = await visit(browser);
    await page.goto(origin);
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await page.evaluate(() => document.querySelector('curfew-login')?.setAttribute('lang', 'pl'));
    await page.getByRole('heading', { name: 'Logowanie' }).waitFor();
    const left = await page.evaluate(() => {
      const element = document.querySelector('curfew-login');
      element?.remove();
      return element?.shadowRoot?.childElementCount;
    });
    expect(left).toBe(0);
    expect(complaints).toEqual([]);
    await context.close();
  });
});
