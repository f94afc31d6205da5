/** Notices of the server: an ending on another device shows here at once, through restarts and broken connections. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../server/test/services/browser.ts';
import { variants } from '../../server/test/services/budget.ts';
import { SERVICE_KEY } from '../../server/test/support.ts';
import { backoffMs } from '../src/pause.ts';
import { emptied, heard, logIn, openStage, openTab, sessionIn, type Stage, startClient } from './stage.ts';

const modes = [
  ['cookie', {}],
  ['tokens in memory', { mode: 'bearer', storage: 'memory' }],
  ['tokens in localStorage', { mode: 'bearer', storage: 'local' }],
] as const;

test('reconnection pauses are random, within a bound that grows up to a maximum', () => {
  for (const nth of [0, 1, 5, 30]) {
    const bound = Math.min(30_000, 500 * 2 ** nth);
    const some = Array.from({ length: 500 }, () => backoffMs(nth, 30_000));
    expect(Math.max(...some)).toBeLessThanOrEqual(bound);
    expect(Math.max(...some)).toBeGreaterThan(bound * 0.9);
    // Fully random, so that clients that lost their connections together do not return together.
    expect(Math.min(...some)).toBeLessThan(bound * 0.1);
  }
});

describe.skipIf(!hasChromium())('notices', () => {
  let browser: Browser;
  let stage: Stage;
  let context: BrowserContext;
  beforeAll(async () => {
    [browser, stage] = await Promise.all([openBrowser(), openStage()]);
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });
  beforeEach(async () => {
    context = await emptied(browser, context, stage.origin);
    await expect.poll(() => stage.sockets()).toBe(0);
    stage.requests.length = 0;
    stage.cut = false;
    stage.tried = 0;
  });

  const changes = (page: Page): Promise<number> => page.evaluate(() => window.changes);
  /** The hello has arrived. */
  const connected = (page: Page, before = 0): Promise<void> =>
    expect.poll(() => changes(page)).toBeGreaterThan(before);
  const adminLogout = (sid: string): Promise<unknown> =>
    stage.on.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'sessions', sessions: [sid] },
    });

  test.each(variants(modes))(
    'with %s: a remote logout is announced with reason and actor, and the socket stays closed',
    { tags: 'long' },
    async (_, options) => {
      const page = await openTab(context, stage.origin, options);
      const phone = await openTab(await browser.newContext(), stage.origin, { notices: false });
      await logIn(phone);
      const sid = await logIn(page);
      await connected(page);
      const before = await changes(page);
      // Another device's login is seen as well.
      await logIn(phone);
      await connected(page, before);

      expect(await phone.evaluate(() => window.client.logout({ scope: 'others' }))).toMatchObject({
        confirmed: true,
      });
      await expect.poll(() => heard(page)).toHaveLength(1);
      const [why] = await heard(page);
      expect(why).toMatchObject({ reason: 'logout', by: 'other_device', where: 'elsewhere', sessionId: sid });
      await expect.poll(() => stage.sockets()).toBe(0);
      // An ended session is not retried, and the URL never held more than the address.
      const upgrades = stage.requests.filter((one) => one.startsWith('UPGRADE'));
      expect(upgrades).toEqual(['UPGRADE /v1/notices']);
      expect(await sessionIn(page)).toBe(null);
      await phone.context().close();
    },
  );

  test('three tabs share one socket, another tab takes it over, and all are notified', async () => {
    const tabs = [];
    for (let nth = 0; nth < 3; nth++) tabs.push(await openTab(context, stage.origin));
    const sid = await logIn(tabs[0] as Page);
    for (const tab of tabs) await connected(tab);
    expect(stage.sockets()).toBe(1);
    await adminLogout(sid);
    for (const tab of tabs)
      await expect
        .poll(() => heard(tab))
        .toMatchObject([{ reason: 'admin_logout', by: 'service', where: 'elsewhere', sessionId: sid }]);
    await expect.poll(() => stage.sockets()).toBe(0);

    const next = await logIn(tabs[0] as Page);
    await expect.poll(() => stage.sockets()).toBe(1);
    const last = tabs.pop() as Page;
    for (const tab of tabs) await tab.close();
    // Another tab has taken it over, unless the last one had it from the beginning.
    await expect.poll(() => stage.sockets()).toBe(1);
    await adminLogout(next);
    await expect.poll(() => heard(last)).toMatchObject([{}, { where: 'elsewhere', sessionId: next }]);
  });

  test('open pages reconnect after a node restart', async () => {
    const page = await openTab(context, stage.origin);
    const sid = await logIn(page);
    await connected(page);
    const before = await changes(page);
    await stage.restart();
    await connected(page, before);
    expect(await heard(page)).toEqual([]);
    await adminLogout(sid);
    await expect.poll(() => heard(page)).toMatchObject([{ where: 'elsewhere', sessionId: sid }]);
  });

  test('a session that ended while the connection was down is announced with its reason on return', async () => {
    const page = await openTab(context, stage.origin);
    const sid = await logIn(page);
    await connected(page);
    stage.cut = true;
    stage.cutSockets();
    await adminLogout(sid);
    await expect.poll(() => stage.tried).toBeGreaterThan(0);
    expect(await heard(page)).toEqual([]);
    stage.cut = false;
    await expect
      .poll(() => heard(page))
      .toMatchObject([{ reason: 'admin_logout', by: 'service', where: 'found', sessionId: sid }]);
    expect(await page.evaluate(() => window.client.endedBecause)).toMatchObject({ reason: 'admin_logout' });
  });

  test('the socket closes when the network goes and returns with it', async () => {
    const page = await openTab(context, stage.origin);
    const sid = await logIn(page);
    await connected(page);
    const before = await changes(page);
    await context.setOffline(true);
    stage.cutSockets();
    await expect.poll(() => stage.sockets()).toBe(0);
    await page.waitForFunction(() => !navigator.onLine);
    await context.setOffline(false);
    await connected(page, before);
    await adminLogout(sid);
    await expect.poll(() => heard(page)).toHaveLength(1);
  });

  test('the login page says why the session ended, also after a reload', async () => {
    const page = await openTab(context, stage.origin);
    const sid = await logIn(page);
    await page.goto('about:blank');
    await adminLogout(sid);
    await page.goto(stage.origin);
    await startClient(page);
    expect(await sessionIn(page)).toBe(null);
    expect(await page.evaluate(() => window.client.endedBecause)).toMatchObject({
      reason: 'admin_logout',
      by: 'service',
      where: 'found',
    });
    // This page had no session, so none ended in it.
    expect(await heard(page)).toEqual([]);
  });

  test('the socket is open exactly while there are listeners', async () => {
    const page = await openTab(context, stage.origin, {}, false);
    await logIn(page);
    await page.waitForTimeout(300);
    expect(stage.sockets()).toBe(0);
    await page.evaluate(() => {
      const off = window.client.onSessionsChanged(() => void window.changes++);
      Object.assign(window, { off });
    });
    await connected(page);
    expect(stage.sockets()).toBe(1);
    await page.evaluate('window.off()');
    await expect.poll(() => stage.sockets()).toBe(0);
    await page.evaluate(() => void window.client.onLoggedOut(() => undefined));
    await expect.poll(() => stage.sockets()).toBe(1);
    await page.evaluate(() => window.client.close());
    await expect.poll(() => stage.sockets()).toBe(0);
  });

  test('the user’s own logout is announced as the user’s own, in this tab and in others', async () => {
    const page = await openTab(context, stage.origin);
    const other = await openTab(context, stage.origin);
    await logIn(page);
    await connected(page);
    await connected(other);
    await page.evaluate(() => window.client.logout({ scope: 'all' }));
    await expect.poll(() => heard(other)).toMatchObject([{ where: 'another tab', by: 'self' }]);
    expect(await heard(page)).toMatchObject([{ where: 'here', by: 'self' }]);
    await page.waitForTimeout(300);
    expect([(await heard(page)).length, (await heard(other)).length]).toEqual([1, 1]);
  });
});
