/** A stolen account and a lost phone, from the actor to every open page of the ended session. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import { ADMIN, logIn, openSite, NEW_PASSWORD, type Site, visit, type Visitor } from './site.ts';

const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:135.0) Gecko/20100101 Firefox/135.0';
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1';

describe.skipIf(!hasChromium())('a session that is ended by somebody else', () => {
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
    for (const [email, name] of [
      ['lovelace@example.com', 'Ada'],
      ['hopper@example.com', 'Grace'],
    ])
      await site.call('POST', '/v1/admin/users', {
        bearer: SERVICE_KEY,
        body: { email, name, password: NEW_PASSWORD },
      });
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  interface Tabs extends Visitor {
    tabs: Page[];
    /** The API's answer to this browser's credential. */
    answer: () => Promise<number>;
    /** Waits until the tabs show this text and no device, each without a reload. */
    allSay: (why: string) => Promise<void>;
  }

  /** A person with tabs on several devices, and a copy of the credential. */
  async function inTabs(number: 1 | 2, email: string, userAgent?: string): Promise<Tabs> {
    return enter(number, email, await visit(browser, userAgent === undefined ? {} : { userAgent }));
  }
  async function enter(number: 1 | 2, email: string, visitor: Visitor): Promise<Tabs> {
    const tabs = [visitor.page];
    await logIn(visitor.page, site.origin, email);
    if (number === 2) {
      const second = await visitor.context.newPage();
      await second.goto(`${site.origin}/devices`);
      tabs.push(second);
    }
    let loads = 0;
    for (const tab of tabs) {
      await tab.locator('.device.current').waitFor();
      tab.on('framenavigated', () => loads++);
    }
    const cookies = await visitor.context.cookies();
    const cookie = cookies.find(({ name }) => name === 'curfew_session')?.value ?? '';
    const answer = async (): Promise<number> => (await site.call('GET', '/v1/session', { cookie })).status;
    expect(await answer()).toBe(200);
    return {
      ...visitor,
      tabs,
      answer,
      allSay: async (why) => {
        for (const tab of tabs) {
          await tab.getByText(why, { exact: true }).waitFor();
          expect(await tab.locator('.device').count()).toBe(0);
          expect(await tab.locator('#account').textContent()).toBe('');
        }
        expect(loads).toBe(0);
      },
    };
  }

  test('a stolen account: the administrator ends the thief’s session, then makes the password useless', async () => {
    const owner = await inTabs(1, 'lovelace@example.com');
    const thief = await inTabs(2, 'lovelace@example.com', FIREFOX);
    const admin = await visit(browser);
    const { page } = admin;
    await logIn(page, site.origin, ADMIN, '/admin');
    await page.getByRole('searchbox').fill('lace@exam');
    await page.getByText('One user', { exact: true }).first().waitFor();
    await page.getByRole('link', { name: /lovelace@example\.com/ }).click();
    await page.getByText('2 sessions', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Log out Firefox on Windows' }).click();
    await page.getByText('One session ended.').waitFor();
    // The message to the administrator is true: the copied credential is refused from here on.
    expect(await thief.answer()).toBe(401);
    await thief.allSay('An administrator logged you out.');
    await page.getByText('One session', { exact: true }).first().waitFor();

    // The owner is where they were, and has seen it.
    for (const tab of owner.tabs) await tab.getByText('You are logged in on one device.').waitFor();
    expect(await owner.answer()).toBe(200);

    // The thief knows the password, and is back.
    await thief.tabs[1]?.close();
    const again = await enter(1, 'lovelace@example.com', thief);
    await page.getByText('2 sessions', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Reset the password' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Reset the password' }).click();
    const password = await dialog.getByRole('textbox').inputValue();
    expect([await again.answer(), await owner.answer()]).toEqual([401, 401]);
    await again.allSay('Your password was reset. Log in again.');
    await owner.allSay('Your password was reset. Log in again.');
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.getByText('This account is not logged in anywhere.').last().waitFor();

    await again.page.getByRole('link', { name: 'Log in again' }).click();
    const fillIn = async (tab: Page, word: string): Promise<void> => {
      await tab.fill('[name=email]', 'lovelace@example.com');
      await tab.fill('[name=password]', word);
      await tab.click('button[type=submit]');
    };
    await fillIn(again.page, NEW_PASSWORD);
    await again.page.getByText('Wrong e-mail address or password.').waitFor();
    await owner.page.getByRole('link', { name: 'Log in again' }).click();
    await fillIn(owner.page, password);
    await owner.page.getByText('You are logged in on one device.').waitFor();
    await page.getByText('One session', { exact: true }).first().waitFor();

    const all = [owner, thief, admin];
    expect(all.flatMap(({ complaints }) => complaints)).toEqual([]);
    await Promise.all(all.map(({ context }) => context.close()));
  });

  test('a lost phone: ended from the laptop, and every page of both shows it', async () => {
    const laptop = await inTabs(2, 'hopper@example.com');
    const phone = await inTabs(2, 'hopper@example.com', IPHONE);
    for (const tab of laptop.tabs) await tab.locator('.device', { hasText: 'Safari on iOSNew' }).waitFor();
    // Newest first, and read out.
    expect(await laptop.page.locator('.device h2').allTextContents()).toEqual([
      'Safari on iOSNew',
      'Chrome on LinuxThis device',
    ]);
    await laptop.page
      .getByRole('status')
      .filter({ hasText: 'New login: Safari on iOS.' })
      .waitFor({ state: 'attached' });
    await laptop.page.getByRole('button', { name: 'Log out Safari on iOS' }).click();
    await laptop.page.getByText('Safari on iOS is logged out.').waitFor();
    expect(await laptop.page.locator('.notice').textContent()).toMatch(
      /Logged out everywhere in [\d.]+ ms\./,
    );
    // The button is gone, so the focus is on the result.
    expect(await laptop.page.evaluate(() => document.activeElement?.textContent)).toContain('is logged out');
    expect(await phone.answer()).toBe(401);
    await phone.allSay('You were logged out from another of your devices.');
    for (const tab of laptop.tabs) await tab.getByText('You are logged in on one device.').waitFor();
    expect(await laptop.answer()).toBe(200);
    expect(await phone.page.locator('body').textContent()).not.toMatch(/Grace|hopper@/);
    await phone.page.getByRole('link', { name: 'Log in again' }).click();
    await phone.page.getByText('You were logged out from another of your devices.').waitFor();
    // The finder of the phone is asked for the password, and learns nothing more.
    await phone.tabs[1]?.reload();
    await phone.tabs[1]?.waitForURL(/\/login\?/);
    expect(await phone.tabs[1]?.locator('body').textContent()).not.toMatch(/Grace|hopper@/);
    expect([...laptop.complaints, ...phone.complaints]).toEqual([]);
    await Promise.all([laptop.context.close(), phone.context.close()]);
  });
});

describe.skipIf(!hasChromium())('a session that expires unused', () => {
  test('the open page and the login page say so, with the idle time', async () => {
    const [site, browser] = await Promise.all([openSite({ CURFEW_IDLE_SECONDS: '15' }), openBrowser()]);
    try {
      const { page, complaints } = await visit(browser);
      const why = page.getByText('You were logged out after 15 seconds without activity.');
      await logIn(page, site.origin);
      await page.locator('.device.current').waitFor();
      const admin = await visit(browser);
      await logIn(admin.page, site.origin, ADMIN, '/admin');
      await admin.page.locator('.row-link').first().waitFor();
      // And the time in which a use that another node knows of may still come.
      site.pass(30);
      await why.waitFor();
      expect(await page.locator('.device').count()).toBe(0);
      await page.getByRole('link', { name: 'Log in again' }).click();
      await page.waitForURL(/\/login\?/);
      await why.waitFor();

      await admin.page.getByText('You were logged out because you were inactive.').waitFor();
      expect(await admin.page.locator('.administration').count()).toBe(0);
      await admin.page.getByRole('link', { name: 'Log in again' }).click();
      await admin.page.waitForURL(`${site.origin}/login?next=%2Fadmin`);
      await admin.page.getByText('You were logged out after 15 seconds without activity.').waitFor();
      expect([...complaints, ...admin.complaints]).toEqual([]);
    } finally {
      await browser.close();
      await site.close();
    }
  });
});
