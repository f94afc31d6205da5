/** After a logout the administration shows nothing of anybody, however one goes back to it. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import { besidesTheQuestion } from './administration-walk.ts';
import { ADMIN, logIn, openSite, NEW_PASSWORD, type Site, visit, type Visitor } from './site.ts';

/** Names, addresses and devices of people. The administration shows each of them somewhere while one is logged in. */
const PRIVATE = /Lovelace|example\.com|Demo|Admin|curl|198\.51\.100/;

describe.skipIf(!hasChromium())('back to the administration after a logout', () => {
  let site: Site;
  let browser: Browser;
  let admin: Visitor;
  let page: Page;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite({ CURFEW_TRUSTED_PROXIES: '127.0.0.1' }), openBrowser()]);
    await site.call('POST', '/v1/admin/users', {
      bearer: SERVICE_KEY,
      body: { email: 'ada@example.com', name: 'Ada Lovelace', password: NEW_PASSWORD },
    });
  });
  beforeEach(async () => {
    await site.call('POST', '/v1/login', {
      body: { email: 'ada@example.com', password: NEW_PASSWORD },
      headers: { 'user-agent': 'curl/8.5.0', 'x-forwarded-for': '198.51.100.7' },
    });
    admin = await visit(browser);
    page = admin.page;
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Logs in and looks at everything, so that each page is in the history, and ends on the page of a user. */
  async function lookAround(): Promise<void> {
    await logIn(page, site.origin, ADMIN, '/admin');
    const to = async (link: string, shown: string): Promise<void> => {
      await page.getByRole('link', { name: link }).first().click();
      await page.locator(shown).first().waitFor();
      expect(await page.locator('body').textContent()).toMatch(PRIVATE);
    };
    await to('Log', '.event');
    await to('Status', '.tile');
    await to('Applications', '.application');
    await page.getByRole('link', { name: 'Users', exact: true }).click();
    await page.getByRole('searchbox').fill('lovelace');
    await page.getByText('One user', { exact: true }).first().waitFor();
    await to('Ada Lovelace', '.session');
  }

  const nothingPrivate = async (where: string): Promise<void> => {
    const left = await page.locator('body').evaluate((body) => {
      const typed = [...body.querySelectorAll('input')].map(({ value }) => value);
      // As displayed: the server's data for the script is no text of the page.
      for (const script of body.querySelectorAll('script')) script.remove();
      return [body.textContent, ...typed].join(' ');
    });
    expect(left, where).not.toMatch(PRIVATE);
    expect(await page.locator('.administration, .account, .session, .event, .tile').count(), where).toBe(0);
  };

  /**
   * Goes back through the history, page by page.
   * @param most the limit, else all
   * @returns the visited paths
   */
  async function allTheWayBack(most = Number.POSITIVE_INFINITY): Promise<string[]> {
    const paths: string[] = [];
    for (
      let length = await page.evaluate(() => history.length);
      length > 1 && paths.length < most;
      length--
    ) {
      await page.goBack();
      // Before the first page there is another one, of the browser's own.
      if (page.url() === 'about:blank') break;
      await page.getByRole('heading', { name: /^(Log in|You are logged out)$/ }).waitFor();
      const { pathname, searchParams } = new URL(page.url());
      paths.push(searchParams.get('next') ?? pathname);
      await nothingPrivate(`back at ${page.url()}`);
    }
    return paths;
  }

  const EVERY_PAGE = ['/admin', '/admin/applications', '/admin/state', '/admin/log', '/admin'];

  test('after the administrator’s own logout: in the restored page, and after a reload', async () => {
    await lookAround();
    await page
      .getByRole('navigation', { name: /^Logged in as/ })
      .getByRole('button')
      .click();
    await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
    await nothingPrivate('after the logout');
    expect(await allTheWayBack(EVERY_PAGE.length)).toEqual(EVERY_PAGE);
    await page.evaluate((forward) => history.go(forward), EVERY_PAGE.length);
    await page.waitForURL(/\/admin\/users\/3$/);
    await nothingPrivate('forward again');

    await page.getByRole('link', { name: 'Log in again' }).click();
    await page.waitForURL(/\/login\?next=/);
    // Elsewhere, so that each page is asked for anew.
    await page.goto(`${site.origin}/healthz`);
    expect(await allTheWayBack()).toEqual(['/admin/users/3', '/admin/users/3', ...EVERY_PAGE]);
    expect(admin.complaints).toEqual([]);
    await admin.context.close();
  });

  test('after a logout of everyone: in this tab, and in one on a user’s page', async () => {
    await lookAround();
    const second = await admin.context.newPage();
    await second.goto(`${site.origin}/admin/applications`);
    await second.getByRole('button', { name: 'Log everyone out…' }).click();
    const dialog = second.getByRole('dialog');
    const sentence = (await dialog.locator('.number-to-type').textContent()) ?? '';
    await dialog.getByLabel('Type the number to continue').fill(/\d+/.exec(sentence)?.[0] ?? '');
    await second.keyboard.press('Enter');
    await second.getByRole('heading', { name: 'You are logged out' }).waitFor();
    await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
    await nothingPrivate('after the logout of everyone');
    expect(await allTheWayBack()).toEqual(EVERY_PAGE);
    page = second;
    await nothingPrivate('where everyone was logged out');
    await page.goto(`${site.origin}/healthz`);
    expect(await allTheWayBack()).toEqual(['/admin/applications']);
    expect(besidesTheQuestion(admin.complaints)).toEqual([]);
    await admin.context.close();
  });

  test('after a logout from elsewhere, with a new password still on the page', async () => {
    await lookAround();
    await page.getByRole('button', { name: 'Reset the password' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Reset the password' }).click();
    const password = await page.getByRole('dialog').getByRole('textbox').inputValue();
    expect(password).toHaveLength(20);
    await site.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'user', user_id: 1 },
    });
    await page.getByText('A service that you use logged you out.').waitFor();
    await nothingPrivate('after the logout');
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(await page.content()).not.toContain(password);
    expect(await allTheWayBack()).toEqual(EVERY_PAGE);
    await site.call('POST', '/v1/admin/users/3/password', {
      bearer: SERVICE_KEY,
      body: { password: NEW_PASSWORD },
    });
    expect(admin.complaints).toEqual([]);
    await admin.context.close();
  });

  test('from the browser’s memory: empty until it has reloaded, and if it cannot', async () => {
    await logIn(page, site.origin, ADMIN, '/admin/users/3');
    await page.locator('.session').first().waitFor();
    expect(await page.locator('body').textContent()).toMatch(PRIVATE);
    const event = (type: string): Promise<void> =>
      page.evaluate((name) => {
        window.dispatchEvent(new PageTransitionEvent(name, { persisted: true }));
      }, type);
    const session = page.locator('.session').first();
    await event('pagehide');
    expect(await session.isVisible()).toBe(false);
    expect(await page.getByText(PRIVATE).filter({ visible: true }).count()).toBe(0);
    await event('pageshow');
    await session.waitFor();

    await event('pagehide');
    await page.route('**/v1/session', (route) => route.abort('connectionrefused'));
    await event('pageshow');
    await page.getByText('This page could not be loaded. Try again.').waitFor();
    await nothingPrivate('where nobody can be asked');
    await page.unroute('**/v1/session');
    await session.waitFor();

    await event('pagehide');
    // Logged out while it lay there.
    await admin.context.clearCookies();
    await event('pageshow');
    await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
    await nothingPrivate('after a logout that it slept through');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('You are logged out');
    expect(admin.complaints.filter((one) => !/ERR_CONNECTION_REFUSED/.test(one))).toEqual([]);
    await admin.context.close();
  });
});
