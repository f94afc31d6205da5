/** "My devices", as people use it: in several browsers at once. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { variants } from '../../packages/server/test/services/budget.ts';
import { placeDatabase, type Value } from '../../packages/server/test/services/place-database.ts';
import { makeScratch } from '../../packages/server/test/services/scratch.ts';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import {
  ADMIN,
  anew,
  besidesTheLine,
  logIn,
  NEW_PASSWORD,
  openSite,
  PASSWORD,
  type Site,
  USER,
  visit,
  type Visitor,
} from './site.ts';

describe.skipIf(!hasChromium())('my devices', () => {
  let site: Site;
  let browser: Browser;
  /** The browser for all tests without special needs. */
  let mine: Visitor;
  beforeAll(async () => {
    // A caller may name its address: the file has the place of each.
    const CURFEW_PLACES = join(makeScratch('places'), 'city.mmdb');
    const city = (names: Value): Value => ({ city: { names }, country: { iso_code: 'PL' } });
    const records = {
      '203.0.113.7/32': city({ en: 'Gdańsk', 'zh-CN': '格但斯克' }),
      '203.0.113.8/32': city({ en: '<img src=x onerror=alert(1)>\u202e'.repeat(5) }),
      '203.0.113.9/32': { country: { iso_code: 'VN' } },
    };
    writeFileSync(CURFEW_PLACES, placeDatabase(records));
    [site, browser] = await Promise.all([
      openSite({ CURFEW_PLACES, CURFEW_TRUSTED_PROXIES: '127.0.0.1' }),
      openBrowser(),
    ]);
    mine = await visit(browser);
  });
  beforeEach(() => anew(mine));
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** A login from elsewhere. @returns its access token */
  async function program(userAgent = 'curl/8.5.0', name?: string, address = '127.0.0.1'): Promise<string> {
    const answer = await site.call('POST', '/v1/login', {
      body: { email: USER, password: PASSWORD, ...(name === undefined ? {} : { device: { name } }) },
      headers: { 'user-agent': userAgent, 'x-forwarded-for': address },
    });
    expect(answer.status).toBe(200);
    return answer.json['access_token'] as string;
  }
  const nobody = (): Promise<unknown> =>
    site.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: { scope: 'user', user_id: 2 } });
  const open = async (page: Page): Promise<void> => {
    await logIn(page, site.origin);
    await page.locator('.device').first().waitFor();
  };
  const alive = async (token: string): Promise<boolean> =>
    (await site.call('GET', '/v1/session', { bearer: token })).status === 200;

  test('each has its city, in the language of the page where the database has it', {
    tags: 'long',
  }, async () => {
    await nobody();
    for (const last of [7, 8, 9]) await program(`okhttp/${last}`, `number ${last}`, `203.0.113.${last}`);
    const { page, complaints } = mine;
    await open(page);
    const near = (last: number): ReturnType<Page['locator']> =>
      page.locator('.device', { hasText: `number ${last}` }).locator('.dotted span');
    expect(await near(7).textContent()).toBe('near Gdańsk');
    expect(await near(7).getAttribute('title')).toBe('Poland');
    expect(await near(8).textContent()).toMatch(/^near (<img src=x onerror=alert\(1\)>){2}<img.{1,30}…$/);
    expect(await near(9).textContent()).toBe('Vietnam');
    // This browser is on this machine, which lies nowhere.
    expect(await page.locator('.device.current .dotted span').count()).toBe(0);
    for (const [lang, said] of variants([
      ['zh', '格但斯克附近'],
      ['pl', 'okolice: Gdańsk'],
      ['vi', 'gần Gdańsk'],
    ] as const)) {
      await page.goto(`${site.origin}/devices?lang=${lang}`);
      expect(await near(7).textContent()).toBe(said);
    }
    expect(complaints).toEqual([]);
  });

  test('all others, then all are ended: asked first, with the result shown', async () => {
    await nobody();
    const tokens = [await program(), await program('python-requests/2'), await program('okhttp/5')];
    const { page, context, complaints } = mine;
    await open(page);
    await page.getByText('You are logged in on 4 devices.').waitFor();
    await page.getByRole('button', { name: 'Log out all other devices' }).click();
    const dialog = page.getByRole('dialog', { name: 'Log out all other devices?' });
    await dialog.getByText('3 other devices will be logged out immediately.').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(await Promise.all(tokens.map(alive))).toEqual([true, true, true]);
    await page.getByRole('button', { name: 'Log out all other devices' }).click();
    await dialog.getByRole('button', { name: 'Log out all other devices' }).click();
    await page.getByText('3 devices are logged out.').waitFor();
    expect(await Promise.all(tokens.map(alive))).toEqual([false, false, false]);
    await page.getByText('You are logged in on one device.').waitFor();

    const last = await program();
    await page.locator('.device').nth(1).waitFor();
    await page.getByRole('button', { name: 'Log out everywhere' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Log out everywhere' }).click();
    await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
    await page.getByText('2 devices are logged out.').waitFor();
    await page.getByText(/Logged out everywhere in/).waitFor();
    expect(await alive(last)).toBe(false);
    expect(await context.cookies()).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test('a device is named, and the name removed; after a logout elsewhere the page empties and says why', async () => {
    const { page, complaints } = mine;
    await open(page);
    const name = async (text: string): Promise<void> => {
      await page
        .locator('.device.current')
        .getByRole('button', { name: /^Rename / })
        .click();
      await page.getByLabel('Device name').fill(text);
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    };
    await name('Work\u202e laptop <b>');
    await page.locator('.device.current h2').getByText('Work laptop <b>').waitFor();
    await page.locator('.device.current').getByText('Chrome on Linux').waitFor();
    await page.reload();
    await page.locator('.device.current h2').getByText('Work laptop <b>').waitFor();
    await name('');
    await page.locator('.device.current h2').getByText('Chrome on Linux').waitFor();

    await nobody();
    await page
      .getByText(/A service that you use logged you out\.|An administrator logged you out\./)
      .waitFor();
    expect(await page.locator('.device').count()).toBe(0);
    expect(await page.locator('#account').textContent()).toBe('');
    expect(complaints).toEqual([]);
  });

  test('of very many a page is shown, then more, and a change leaves them there', async () => {
    await nobody();
    const { page } = mine;
    const data = { email: USER, password: PASSWORD, transport: 'cookie' };
    expect((await page.request.post(`${site.origin}/v1/login`, { data })).status()).toBe(200);
    const { json } = await site.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: 2, count: 210 },
    });
    await page.goto(`${site.origin}/devices`);
    await page.getByText('You are logged in on 211 devices.').waitFor();
    const rows = page.locator('.device');
    const shown = await rows.count();
    expect(shown).toBe(201);
    // The oldest of all, and there all the same.
    expect(await page.locator('.device', { hasText: 'This device' }).count()).toBe(1);
    await page.getByRole('button', { name: 'Show more' }).click();
    await expect.poll(() => rows.count()).toBe(211);
    expect(await page.locator('.device', { hasText: 'This device' }).count()).toBe(1);
    expect(await page.getByRole('button', { name: 'Show more' }).count()).toBe(0);
    await site.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'sessions', sessions: [json['sessions'][0].session.id] },
    });
    await page.getByText('You are logged in on 210 devices.').waitFor();
    expect(await rows.count()).toBe(210);
  });

  test('every act works by keyboard', async () => {
    await nobody();
    await program();
    const { page, complaints } = mine;
    await open(page);
    const focused = (): Promise<string> =>
      page.evaluate(() => {
        const at = document.activeElement;
        return at?.getAttribute('aria-label') ?? at?.textContent?.trim() ?? '';
      });
    const tabTo = async (name: string): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        if ((await focused()) === name) {
          // And it can be seen where one is.
          expect(
            await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle),
          ).not.toBe('none');
          return;
        }
        await page.keyboard.press('Tab');
      }
      throw new Error(`the keyboard does not reach "${name}"`);
    };
    await page.locator('body').focus();
    await tabTo('Skip to content');
    await tabTo('Rename curl');
    await page.keyboard.press('Enter');
    await page.getByLabel('Device name').waitFor();
    await page.keyboard.type('Backup');
    await page.keyboard.press('Escape');
    // Nothing was changed, and one is where one was.
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused()).toBe('Rename curl');
    await tabTo('Log out curl');
    await page.keyboard.press('Enter');
    await page.getByText('curl is logged out.').waitFor();
    await tabTo('Log out everywhere');
    await page.keyboard.press('Space');
    await page.getByRole('dialog').waitFor();
    // Within a dialog the focus stays.
    for (let i = 0; i < 6; i++) {
      await page.keyboard.press('Tab');
      const inside = await page.evaluate(
        () => document.activeElement === document.body || document.activeElement?.closest('dialog') !== null,
      );
      expect(inside).toBe(true);
    }
    await tabTo('Log out everywhere');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
    await tabTo('Log in again');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/login/);
    expect(complaints).toEqual([]);
  });

  test('links do not move when the answer to a logout comes, and the back button shows nothing private', async () => {
    const { page, complaints } = mine;
    await open(page);
    await page.goto(`${site.origin}/healthz`);
    await page.goBack();
    await page.locator('.device').first().waitFor();
    let answer = (): void => undefined;
    const asked = new Promise<void>((resolve) => (answer = resolve));
    await page.route('**/v1/logout', async (route) => {
      await asked;
      await route.continue();
    });
    await page.locator('#account').getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
    const link = page.getByRole('link', { name: 'Log in again' });
    const before = await link.boundingBox();
    answer();
    await page.getByText('Logged out everywhere').waitFor();
    expect(before).not.toBeNull();
    expect(await link.boundingBox()).toEqual(before);

    await link.click();
    await page.waitForURL(/\/login/);
    await page.goBack();
    await page.getByRole('heading', { name: /Log in|You are logged out/ }).waitFor();
    expect(await page.locator('body').textContent()).not.toContain('Demo User');
    expect(await page.locator('.device').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test('a page restored from the browser’s memory is empty until it has reloaded', async () => {
    const { page, context, complaints } = mine;
    await open(page);
    const visible = (): Promise<boolean> => page.locator('.device').first().isVisible();
    const event = (type: string): Promise<void> =>
      page.evaluate((name) => {
        window.dispatchEvent(new PageTransitionEvent(name, { persisted: true }));
      }, type);
    expect(await visible()).toBe(true);
    await event('pagehide');
    expect(await visible()).toBe(false);
    await event('pageshow');
    await expect.poll(visible).toBe(true);
    await event('pagehide');
    // Logged out while it lay there.
    await context.clearCookies();
    await event('pageshow');
    await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
    expect(await page.locator('.device').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test('an offline logout ends the session here, and says so', async () => {
    const { page, context, complaints } = await visit(browser);
    await open(page);
    await context.setOffline(true);
    await page.locator('#account').getByRole('button', { name: 'Log out' }).click();
    await page.getByText('You are logged out on this device. The server cannot be reached').waitFor();
    expect(await page.locator('.device').count()).toBe(0);
    expect(besidesTheLine(complaints)).toEqual([]);
    await context.close();
  });

  test('names and user agents with markup, direction controls or 10,000 characters do no harm', async () => {
    await nobody();
    const evil = '<img src=x onerror=alert(1)><script>alert(2)</script>';
    await program(`${evil}/1.0`, `${evil}\u202edeforP`.slice(0, 100));
    await program(`Mozilla/5.0 ${'A'.repeat(10_000)}`);
    await program(`${'x'.repeat(5000)}/1 ${'y'.repeat(5000)}`, 'שלום'.repeat(20));
    await program('W'.repeat(10_000), 'W'.repeat(100));
    const { page, context, complaints } = await visit(browser, { viewport: { width: 320, height: 700 } });
    let dialogs = 0;
    page.on('dialog', (dialog) => {
      dialogs++;
      void dialog.dismiss();
    });
    await open(page);
    expect(await page.locator('.device').count()).toBe(5);
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(await page.locator('.device', { hasText: '<img src=x onerror=alert(1)>' }).count()).toBe(1);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    expect(await page.locator('main').textContent()).not.toMatch(/[\u202a-\u202e]/);
    for (const title of await page.locator('.device h2').allTextContents())
      expect(Array.from(title).length).toBeLessThan(120);
    expect(dialogs).toBe(0);
    expect(complaints).toEqual([]);
    await nobody();
    await context.close();
  });
});

describe.skipIf(!hasChromium())('when the login is old', () => {
  let site: Site;
  let browser: Browser;
  let mine: Visitor;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite({ CURFEW_CONFIRM_AFTER_SECONDS: '60' }), openBrowser()]);
    mine = await visit(browser);
  });
  beforeEach(() => anew(mine));
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('an administrator confirms the password before an act, which is then done', async () => {
    const body = { email: 'ada@example.com', name: 'Ada', password: NEW_PASSWORD };
    const { json } = await site.call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body });
    const { page } = mine;
    await logIn(page, site.origin, ADMIN, `/admin/users/${json.user.id}`);
    site.pass(61);
    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    const password = page.getByLabel('Password');
    await password.fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Enable' }).waitFor();
  });

  test('the password is asked for once more, for another single device too; a wrong one ends nothing', async () => {
    const { page, complaints } = mine;
    const another = (): Promise<unknown> =>
      site.call('POST', '/v1/login', { body: { email: USER, password: PASSWORD } });
    await another();
    await logIn(page, site.origin);
    await page.locator('.device').nth(1).waitFor();
    site.pass(61);
    await page
      .locator('.device')
      .filter({ hasNotText: 'This device' })
      .getByRole('button', { name: 'Log out' })
      .click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await expect.poll(() => page.locator('.device').count()).toBe(1);
    // This one stays logged in, under a new session.
    await page.reload();
    await page.locator('.device').waitFor();
    expect(await page.locator('.device').count()).toBe(1);

    await another();
    await page.locator('.device').nth(1).waitFor();
    site.pass(61);
    await page.getByRole('button', { name: 'Log out all other devices' }).click();
    const go = dialog.getByRole('button', { name: 'Log out all other devices' });
    await go.click();
    await dialog.getByText('Confirm your password to continue.').waitFor();
    const password = dialog.getByLabel('Password');
    expect(await password.evaluate((field) => field === document.activeElement)).toBe(true);
    await password.fill('wrong');
    await go.click();
    await dialog.getByText('Wrong password.').waitFor();
    expect(await page.locator('.device').count()).toBe(2);
    await password.fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByText('One device is logged out.').waitFor();
    expect(await page.locator('.device').count()).toBe(1);
    expect(complaints).toEqual([]);
  });
});
