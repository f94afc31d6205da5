/** Acts that take long: the page says so, stays usable, and sends none of them twice. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import { besidesTheQuestion } from './administration-walk.ts';
import { ADMIN, goOn, logIn, openSite, PASSWORD, type Site, USER, visit, type Visitor } from './site.ts';

describe.skipIf(!hasChromium())('an act that takes long', () => {
  let site: Site;
  let browser: Browser;
  /** An administrator, on the page of user 2. */
  let admin: Visitor;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
    await start('old phone');
    await nobody();
    admin = await visit(browser);
    await logIn(admin.page, site.origin, ADMIN, '/admin/users/2');
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const start = (name = 'phone', more: object = {}): Promise<unknown> =>
    site.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: 2, device: { name }, ...more },
    });
  const nobody = (): Promise<unknown> =>
    site.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: { scope: 'user', user_id: 2 } });

  /** Holds requests to this address up. */
  async function hold(
    page: Page,
    address: string,
  ): Promise<{ bodies: string[]; release: () => Promise<void> }> {
    const bodies: string[] = [];
    const passed: Promise<void>[] = [];
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    await page.route(address, (route) => {
      bodies.push(route.request().postData() ?? '');
      const passing = opened.then(() => route.continue());
      passed.push(passing);
      return passing;
    });
    return {
      bodies,
      release: async () => {
        // A page may say that it is busy before it has sent anything.
        await expect.poll(() => passed.length).toBeGreaterThan(0);
        open();
        await Promise.all(passed);
        await page.unroute(address);
      },
    };
  }

  test('in the administration: the button says so, it is sent once, and the page stays usable', async () => {
    const { page, complaints } = admin;
    await Promise.all([start('phone'), start('tablet')]);
    await page.getByText('2 sessions', { exact: true }).first().waitFor();

    const one = await hold(page, '**/v1/admin/logout');
    const button = page.getByRole('button', { name: 'Log out phone' });
    await button.press('Enter');
    await expect.poll(() => button.textContent()).toBe('Logging out…');
    expect(await button.getAttribute('aria-disabled')).toBe('true');
    await button.press('Enter');
    await button.click({ force: true });
    // Events elsewhere show meanwhile, and the rest of the page can be used.
    await start('desk');
    await page.getByText('3 sessions', { exact: true }).first().waitFor();
    await page.locator('summary', { hasText: 'Ended sessions' }).click();
    await page.locator('.session.over').first().waitFor();
    expect(await button.textContent()).toBe('Logging out…');
    await one.release();
    await page.getByText('One session ended.').waitFor();
    expect(one.bodies).toHaveLength(1);

    const all = await hold(page, '**/v1/admin/logout');
    await page.getByRole('button', { name: 'Log out all' }).click();
    const go = page.getByRole('dialog').getByRole('button').last();
    await go.press('Enter');
    await expect.poll(() => go.textContent()).toBe('Loading…');
    for (const key of ['Enter', 'Space']) await go.press(key);
    await go.dblclick({ force: true });
    await start('phone');
    await page.getByText('3 sessions', { exact: true }).first().waitFor();
    await all.release();
    await page.getByText('3 sessions ended.').waitFor();
    expect(all.bodies).toHaveLength(1);
    expect(complaints).toEqual([]);
  });

  test('two clicks before the button is redrawn are one', async () => {
    await start();
    const { page, complaints } = admin;
    const button = page.getByRole('button', { name: 'Log out phone' });
    await button.waitFor();
    const logout = await hold(page, '**/v1/admin/logout');
    await button.evaluate((element: HTMLButtonElement) => {
      element.click();
      element.click();
    });
    await expect.poll(() => button.textContent()).toBe('Logging out…');
    await logout.release();
    await page.getByText('One session ended.').waitFor();
    expect(logout.bodies).toHaveLength(1);
    expect(complaints).toEqual([]);
  });

  test('a logout of very many: over at once, with the progress of marking to its end', async () => {
    await start('phone', { count: 120 });
    const { page, complaints } = admin;
    await page.getByText('120 sessions', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Log out all' }).click();
    await page.getByRole('dialog').getByRole('button').last().click();
    await page.getByText('120 sessions ended.').waitFor();
    await page.getByText('This account is not logged in anywhere.').last().waitFor();
    await page.getByText('All rows of the sessions table are updated.').waitFor();
    expect(complaints).toEqual([]);
  });

  test('everyone: the Enter key in the field sends it once, and the button says so', async () => {
    const { page, complaints } = admin;
    await goOn(page, '/admin/applications');
    await page.getByRole('button', { name: 'Log everyone out…' }).click();
    const dialog = page.getByRole('dialog');
    const number = /\d+/.exec((await dialog.locator('.number-to-type').textContent()) ?? '')?.[0] ?? '1';
    const held = await hold(page, '**/v1/admin/logout');
    await dialog.getByLabel('Type the number to continue').fill(number);
    for (let i = 0; i < 3; i++) await page.keyboard.press('Enter');
    const go = dialog.getByRole('button').last();
    await expect.poll(() => go.textContent()).toBe('Loading…');
    await held.release();
    await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
    expect(held.bodies).toEqual([`{"scope":"everyone","confirm":${number}}`]);
    expect(besidesTheQuestion(complaints)).toEqual([]);
  });

  test('my devices and the login: the button says so, it is sent once', async () => {
    await nobody();
    const { page, context, complaints } = await visit(browser);
    await page.goto(`${site.origin}/login`);
    await page.waitForSelector('html[data-ready]');
    await page.fill('[name=email]', USER);
    await page.fill('[name=password]', PASSWORD);
    const login = await hold(page, '**/v1/login');
    for (let i = 0; i < 3; i++) await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Logging in…' }).waitFor();
    await login.release();
    await page.waitForURL(`${site.origin}/devices`);
    expect(login.bodies).toHaveLength(1);

    await start();
    await page.locator('.device').nth(1).waitFor();
    const logout = await hold(page, '**/v1/logout');
    await page.getByRole('button', { name: 'Log out all other devices' }).click();
    const go = page.getByRole('dialog').getByRole('button').last();
    for (let i = 0; i < 3; i++) await go.press('Enter');
    await expect.poll(() => go.textContent()).toBe('Logging out…');
    await start('late');
    await page.locator('.device').nth(2).waitFor();
    await logout.release();
    await page.getByText('2 devices are logged out.').waitFor();
    expect(logout.bodies).toHaveLength(1);
    expect(complaints).toEqual([]);
    await context.close();
  });
});
