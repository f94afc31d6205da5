/** The administration by keyboard and screen reader: every act by keys, the focus never lost, every result announced. */
import { text } from 'node:stream/consumers';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { variants } from '../../packages/server/test/services/budget.ts';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import { besidesTheQuestion } from './administration-walk.ts';
import { focused, followAtOnce, hear, keepsFocus, listenAloud, press, pressBack, tabTo } from './keyboard.ts';
import {
  ADMIN,
  logIn,
  openSite,
  NEW_PASSWORD,
  PASSWORD,
  ready,
  type Site,
  USER,
  visit,
  type Visitor,
} from './site.ts';

describe.skipIf(!hasChromium())('the administration by keyboard and by ear', () => {
  let site: Site;
  let browser: Browser;
  let admin: Visitor;
  let page: Page;
  beforeAll(async () => {
    [site, browser] = await Promise.all([
      openSite({ CURFEW_CLIENTS: '{"shop":{"name":"The shop"}}' }),
      openBrowser(),
    ]);
    await site.call('POST', '/v1/admin/users', {
      bearer: SERVICE_KEY,
      body: { email: 'ada@example.com', name: 'Ada Lovelace', password: NEW_PASSWORD },
    });
    admin = await visit(browser);
    await listenAloud(admin.context);
    page = admin.page;
    // No test needs a mouse, and using one fails.
    page.mouse.click = () => Promise.reject(new Error('no mouse'));
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const start = async (name: string, more: object = {}): Promise<unknown> =>
    site.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: 3, device: { name }, ...more },
    });
  const dialog = (name: string): Promise<void> => page.getByRole('dialog', { name }).waitFor();
  const noDialog = (): Promise<void> => page.getByRole('dialog').waitFor({ state: 'detached' });

  test('log in, and reach a user by part of the name', { tags: 'long' }, async () => {
    await page.goto(`${site.origin}/login?next=/admin`);
    // The browser moves the focus there when it draws the page.
    await expect.poll(() => focused(page)).toBe('E-mail address');
    await page.keyboard.type(ADMIN);
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('searchbox').waitFor();
    expect(await focused(page)).toBe('Any part of the name or e-mail address');
    await page.keyboard.type('lovel');
    await hear(page, 'One user');
    await page.keyboard.press('ArrowDown');
    expect(await focused(page)).toMatch(/^Ada Lovelace/);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Ada Lovelace', level: 1 }).waitFor();
    await keepsFocus(page);
    await hear(page, 'This account is not logged in anywhere.');
  });

  test('one session, selected ones, all: each is announced, and the focus is on the result', {
    tags: 'long',
  }, async () => {
    for (const name of ['phone', 'tablet', 'desk']) await start(name);
    await hear(page, '3 sessions');
    await press(page, 'Log out phone');
    expect(await hear(page, /^One session ended\. ?Logged out everywhere in/)).toMatch(
      /^One session ended\./,
    );

    await press(page, 'Select all', 'Space');
    await press(page, 'Log out 2 selected');
    expect(await hear(page, /^2 sessions ended\. ?Logged out everywhere in/)).toMatch(/^2 sessions ended\./);

    await start('phone');
    await hear(page, 'One session');
    await press(page, 'Log out all');
    await dialog('Log out all sessions?');
    // A key that comes in the same breath is not lost: before the browser does anything else, the focus is back.
    const back = await page.locator('dialog').evaluate(async (open) => {
      const closesByItself = open.dispatchEvent(new Event('cancel', { cancelable: true }));
      for (let i = 0; i < 10; i++) await Promise.resolve();
      return [closesByItself, document.activeElement?.textContent];
    });
    expect(back).toEqual([false, 'Log out all']);
    await page.keyboard.press('Enter');
    await dialog('Log out all sessions?');
    const line = await admin.context.newCDPSession(page);
    const at = (type: 'keyDown' | 'keyUp', key: string, windowsVirtualKeyCode: number): Promise<unknown> =>
      line.send('Input.dispatchKeyEvent', {
        type,
        key,
        windowsVirtualKeyCode,
        ...(type === 'keyDown' && key === 'Enter' ? { text: '\r' } : {}),
      });
    for (const _time of variants(Array.from({ length: 10 }))) {
      // None waits for the one before it.
      await Promise.all([
        at('keyDown', 'Escape', 27),
        at('keyUp', 'Escape', 27),
        at('keyDown', 'Enter', 13),
        at('keyUp', 'Enter', 13),
      ]);
      await dialog('Log out all sessions?');
    }
    await page.keyboard.press('Escape');
    await noDialog();
    expect(await focused(page)).toBe('Log out all');
    await page.keyboard.press('Enter');
    await dialog('Log out all sessions?');
    await press(page, 'Cancel');
    await noDialog();
    expect(await focused(page)).toBe('Log out all');
    await page.keyboard.press('Enter');
    await dialog('Log out all sessions?');
    await press(page, 'Log out all');
    await noDialog();
    expect(await hear(page, /^One session ended\. ?Logged out everywhere in/)).toMatch(
      /^One session ended\./,
    );
  });

  test('disable, enable, change the role, reset the password', async () => {
    await press(page, 'Disable');
    await dialog('Disable this account?');
    await press(page, 'Disable');
    await noDialog();
    expect(await hear(page, /^Done\./)).toMatch(/^Done\./);
    await press(page, 'Enable');
    expect(await hear(page, /^Done\./)).toMatch(/^Done\./);
    await press(page, 'Change role');
    await dialog('Change the role?');
    await press(page, 'Change role');
    await noDialog();
    expect(await hear(page, /^Done\./)).toMatch(/^Done\./);

    await press(page, 'Reset the password');
    await dialog('Reset the password?');
    await press(page, 'Reset the password');
    await page.getByRole('dialog').getByRole('textbox').waitFor();
    await expect.poll(() => focused(page)).toBe('New password, shown only once');
    await press(page, 'Close');
    await noDialog();
    expect(await focused(page)).toBe('Reset the password');
    await press(page, 'Ended sessions');
    await page.locator('.session.over').first().waitFor();
    await keepsFocus(page);
  });

  test('log out an application', async () => {
    await start('till', { client_id: 'shop' });
    await pressBack(page, 'Applications');
    await page.getByRole('heading', { name: 'Applications', level: 1 }).waitFor();
    await keepsFocus(page);
    await press(page, 'Log everybody out of The shop');
    await dialog('Log everybody out of The shop?');
    await press(page, 'Log everybody out');
    await noDialog();
    expect(await hear(page, /sessions? ended\. ?Logged out everywhere in/)).toMatch(/sessions? ended\./);
  });

  test('the log: pause and continue, filter, export', async () => {
    await pressBack(page, 'Log');
    await page.getByRole('heading', { name: 'Event log', level: 1 }).waitFor();
    await keepsFocus(page);
    await hear(page, 'Live');
    const events = page.locator('.event');
    await events.first().waitFor();
    await press(page, 'Pause');
    await hear(page, 'Paused');
    expect(await focused(page)).toBe('Resume');
    const before = await events.count();
    await start('till', { client_id: 'shop' });
    await hear(page, 'One new event waiting.');
    // The button beside that sentence goes with it.
    await page.keyboard.press('Tab');
    await press(page, 'Resume');
    await page.getByText('One new event waiting.').waitFor({ state: 'detached' });
    expect(await events.count()).toBe(before + 1);
    await hear(page, 'One new event.');
    expect(await focused(page)).toBe('Pause');

    await press(page, 'Filters');
    await tabTo(page, 'Application');
    await page.keyboard.type('shop');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelectorAll('.event').length < 5);
    await keepsFocus(page);
    await tabTo(page, 'CSV');
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    const lines = (await text(await download.createReadStream())).trim().split('\r\n');
    expect(lines).toHaveLength((await events.count()) + 1);
    await pressBack(page, 'Clear');
    await page.waitForFunction((most) => document.querySelectorAll('.event').length > most, before);
    await keepsFocus(page);
  });

  test('long lists: the focus continues at the first new entry', async () => {
    for (let i = 0; i < 23; i++)
      await site.call('POST', '/v1/admin/users', {
        bearer: SERVICE_KEY,
        body: { email: `many${i}@example.com`, name: `Many ${i}` },
      });
    await start('phone', { count: 25 });
    await page.reload();
    const events = page.locator('.event');
    await events.nth(49).waitFor();
    await pressBack(page, 'Show older events');
    await events.nth(50).waitFor();
    await expect.poll(() => focused(page)).toBe(((await events.nth(50).textContent()) ?? '').trim());
    await press(page, 'Users');
    await page.locator('.row-link').nth(24).waitFor();
    await pressBack(page, 'Show more');
    await page.locator('.row-link').nth(25).waitFor();
    await expect.poll(() => focused(page)).toBe(await page.locator('.row-link').nth(25).textContent());
  });

  test('read the system page', async () => {
    await press(page, 'Status');
    await page.getByRole('heading', { name: 'System status', level: 1 }).waitFor();
    await keepsFocus(page);
    // A table that may be wider than the screen can be reached, to be moved.
    await tabTo(page, 'Nodes');
    await tabTo(page, 'Log consumers');
  });

  test('log out everyone, by the number', async () => {
    await start('phone');
    // A key pressed in the same breath finds the focus on the new page already.
    expect(await followAtOnce(page, 'Applications', true)).toBe('section');
    await press(page, 'Log everyone out…');
    await dialog('Log everyone out?');
    expect(await hear(page, /^\d+ sessions will end\.$/)).toBe('Type the number to continue');
    const number = /\d+/.exec((await page.locator('.number-to-type').textContent()) ?? '')?.[0] ?? '';
    await page.keyboard.type('1234567');
    await page.keyboard.press('Enter');
    expect(await hear(page, 'The number does not match.')).toBe('Type the number to continue');
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type(number);
    await page.keyboard.press('Enter');
    expect(await hear(page, 'You are logged out')).toBe('You are logged out');
    await press(page, 'Log in again');
    await page.waitForURL(/\/login\?next=/);
    expect(besidesTheQuestion(admin.complaints)).toEqual([]);
  });

  test('my devices: after a dialog the focus is on the result, too', async () => {
    const own = await visit(browser);
    await listenAloud(own.context);
    await logIn(own.page, site.origin);
    await site.call('POST', '/v1/login', { body: { email: USER, password: PASSWORD } });
    await own.page.locator('.device').nth(1).waitFor();
    await press(own.page, 'Log out all other devices');
    await own.page.getByRole('dialog', { name: 'Log out all other devices?' }).waitFor();
    await press(own.page, 'Cancel');
    await own.page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused(own.page)).toBe('Log out all other devices');
    await own.page.keyboard.press('Enter');
    await own.page.getByRole('dialog').waitFor();
    await press(own.page, 'Log out all other devices');
    await own.page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await hear(own.page, /^One device is logged out\. ?Logged out everywhere in/)).toMatch(
      /^One device is logged out\./,
    );
    expect(own.complaints).toEqual([]);
    await own.context.close();
  });

  test('the login page: colours and language', async () => {
    const own = await visit(browser, { colorScheme: 'light' });
    await listenAloud(own.context);
    await own.page.goto(`${site.origin}/login`);
    await ready(own.page);
    await tabTo(own.page, 'System');
    await own.page.keyboard.press('ArrowRight');
    await own.page.keyboard.press('ArrowRight');
    expect(await focused(own.page)).toBe('Dark');
    expect(await own.page.locator('html').getAttribute('data-theme')).toBe('dark');
    await press(own.page, 'Polski');
    await own.page.getByRole('heading', { name: 'Logowanie' }).waitFor();
    expect(await own.page.locator('html').getAttribute('data-theme')).toBe('dark');
    expect(own.complaints).toEqual([]);
    await own.context.close();
  });
});
