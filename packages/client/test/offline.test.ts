/** A logout without a network: true here at once, and the server is told when it can be. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../server/test/services/browser.ts';
import { variants } from '../../server/test/services/budget.ts';
import { SERVICE_KEY } from '../../server/test/support.ts';
import {
  emptied,
  heard,
  logIn,
  openStage,
  openTab,
  readable,
  sessionIn,
  type Stage,
  startClient,
} from './stage.ts';

const modes = [
  ['cookie', { notices: false }],
  ['tokens in memory', { mode: 'bearer', storage: 'memory', notices: false }],
  ['tokens in localStorage', { mode: 'bearer', storage: 'local', notices: false }],
] as const;

describe.skipIf(!hasChromium())('offline', () => {
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
    stage.cut = false;
    stage.intercept = null;
    stage.requests.length = 0;
  });

  /** How many sessions of the user are alive on the server. */
  async function aliveOf(sid: string): Promise<boolean> {
    const { json } = await stage.on.call('GET', '/v1/admin/sessions?user_id=2', {
      bearer: SERVICE_KEY,
    });
    return (json as { sessions: { id: string }[] }).sessions.some(({ id }) => id === sid);
  }
  const logOut = (page: Page, scope: 'this' | 'all' = 'this'): Promise<unknown> =>
    page.evaluate(async (what) => {
      const result = await window.client.logout({ scope: what });
      if (result.server === 'pending')
        result.sent.then(
          (told) => void Object.assign(window, { told }),
          (error) => void Object.assign(window, { told: { refused: error.code } }),
        );
      return { ...result, sent: 'promised' };
    }, scope);
  const told = (page: Page): Promise<unknown> => page.evaluate('window.told');

  test.each(variants(modes))(
    'with %s, an offline logout reaches the server from a page that stays open',
    { tags: 'long' },
    async (_, options) => {
      const page = await openTab(context, stage.origin, options);
      const sid = await logIn(page);
      await context.setOffline(true);
      const started = performance.now();
      expect(await logOut(page)).toEqual({ local: true, server: 'pending', sent: 'promised' });
      // It did not wait for as long as an answer may take.
      expect(performance.now() - started).toBeLessThan(8000);
      expect(await heard(page)).toMatchObject([{ where: 'here', sessionId: sid }]);
      expect(await page.evaluate(() => window.client.session())).toBe(null);
      expect(await aliveOf(sid)).toBe(true);
      expect(await told(page)).toBe(undefined);

      await context.setOffline(false);
      await expect.poll(() => told(page)).toMatchObject({ ended: 1, confirmed: true });
      expect(await aliveOf(sid)).toBe(false);
      expect(await context.cookies()).toEqual([]);
      expect(await readable(page)).not.toMatch(/eyJ|rt_|out:/);
    },
  );

  test.each(variants(modes))(
    'with %s, an offline logout reaches the server after a reload',
    { tags: 'long' },
    async (_, options) => {
      const page = await openTab(context, stage.origin, options);
      const sid = await logIn(page);
      stage.cut = true;
      expect(await logOut(page)).toMatchObject({ server: 'pending' });
      // A secret for memory only is in no storage now.
      if (options.notices === false && !('storage' in options && options.storage === 'local'))
        expect(await readable(page)).not.toContain('rt_');

      await page.reload();
      await startClient(page, options);
      // The cookie is still in the jar, where no script can take it out; it counts for nothing.
      expect(await sessionIn(page)).toBe(null);
      stage.api = (req, res) => res.end(JSON.stringify([req.headers.cookie, req.headers.authorization]));
      expect(await page.evaluate(async () => (await window.client.fetch('/api')).json())).toEqual([
        null,
        null,
      ]);
      expect(await aliveOf(sid)).toBe(true);

      stage.cut = false;
      await page.reload();
      await startClient(page, options);
      await expect.poll(() => aliveOf(sid)).toBe(false);
      expect(await sessionIn(page)).toBe(null);
      await expect.poll(() => readable(page)).not.toMatch(/eyJ|rt_|out:/);
      expect(await context.cookies()).toEqual([]);
    },
  );

  test('an offline logout is retried while the page is open', async () => {
    const page = await openTab(context, stage.origin);
    const sid = await logIn(page);
    // The network is up and the authority is not: no event announces its return.
    stage.cut = true;
    expect(await logOut(page)).toMatchObject({ server: 'pending' });
    stage.cut = false;
    await expect.poll(() => told(page)).toMatchObject({ ended: 1 });
    expect(await aliveOf(sid)).toBe(false);
  });

  test('a wider logout that the server then refuses ends this session at least', async () => {
    const page = await openTab(context, stage.origin);
    const phone = await (await browser.newContext()).newPage();
    await phone.goto(stage.origin);
    await startClient(phone, { notices: false });
    const other = await logIn(phone);
    const sid = await logIn(page);
    await context.setOffline(true);
    expect(await logOut(page, 'all')).toMatchObject({ server: 'pending' });
    expect(await heard(page)).toMatchObject([{ where: 'here' }]);
    let asked = 0;
    stage.intercept = (req, res) => {
      if (req.url !== '/v1/logout' || ++asked > 1) return false;
      res.writeHead(403, { 'content-type': 'application/problem+json' }).end('{"code":"login_too_old"}');
      return true;
    };
    await context.setOffline(false);
    // The phone's session is alive, and the client does not claim otherwise.
    await expect.poll(() => told(page)).toEqual({ refused: 'login_too_old' });
    stage.intercept = null;
    expect([await aliveOf(sid), await aliveOf(other)]).toEqual([false, true]);

    // And without such a wish all of them are over.
    await logIn(page);
    await context.setOffline(true);
    await logOut(page, 'all');
    await context.setOffline(false);
    await expect.poll(() => aliveOf(other)).toBe(false);
    await phone.context().close();
  });

  test('a logout of other sessions fails offline and is not queued', async () => {
    const page = await openTab(context, stage.origin);
    const sid = await logIn(page);
    await context.setOffline(true);
    expect(
      await page.evaluate(() => window.client.logout({ scope: 'others' }).catch((e: Error) => e.name)),
    ).toBe('TypeError');
    await context.setOffline(false);
    expect(await sessionIn(page)).toBe(sid);
  });

  test('a queued logout does not end a session of a later login', async () => {
    const page = await openTab(context, stage.origin);
    const before = await logIn(page);
    stage.cut = true;
    expect(await logOut(page)).toMatchObject({ server: 'pending' });
    stage.cut = false;
    const sid = await logIn(page);
    expect(await aliveOf(before)).toBe(false);
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await page.waitForTimeout(500);
    expect(await sessionIn(page)).toBe(sid);
    expect(await readable(page)).not.toContain('out:');

    // The same when the page did not know its session yet, and the server could not end it then.
    await page.reload();
    await startClient(page, { notices: false }, false);
    stage.intercept = (req, res) => {
      if (req.url !== '/v1/logout') return false;
      res.writeHead(503, { 'content-type': 'application/problem+json' }).end('{"code":"not_logged_out"}');
      return true;
    };
    expect(await logOut(page)).toMatchObject({ server: 'pending' });
    expect(await sessionIn(page)).toBe(null);
    const last = await logIn(page);
    stage.intercept = null;
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await page.waitForTimeout(500);
    expect(await sessionIn(page)).toBe(last);
  });

  test('a queued logout of all does not end a later login, and its promise rejects', async () => {
    const page = await openTab(context, stage.origin);
    const phone = await (await browser.newContext()).newPage();
    await phone.goto(stage.origin);
    await startClient(phone, { notices: false });
    const other = await logIn(phone);
    await logIn(page);
    stage.intercept = (req, res) => {
      if (req.url !== '/v1/logout') return false;
      res.writeHead(503).end();
      return true;
    };
    expect(await logOut(page, 'all')).toMatchObject({ server: 'pending' });
    await logIn(page);
    stage.intercept = null;
    await expect.poll(() => told(page)).toHaveProperty('refused');
    expect(await aliveOf(other)).toBe(true);
  });

  test('a logout reaches the server even if the page is left at once', async () => {
    const page = await openTab(context, stage.origin, { notices: false });
    const sid = await logIn(page);
    let arrived: (() => void) | undefined;
    stage.intercept = (req, res) => {
      if (req.url !== '/v1/logout') return false;
      arrived = () => {
        // A request that the browser has cancelled meanwhile counts as never sent.
        if (!req.socket.destroyed) stage.on.authority.listener(req, res);
      };
      return true;
    };
    await page.evaluate(() => {
      window.client.onLoggedOut(() => {
        location.href = '/api/elsewhere';
      });
      void window.client.logout();
    });
    await page.waitForURL('**/api/elsewhere');
    await expect.poll(() => arrived).toBeDefined();
    await page.waitForTimeout(300);
    arrived?.();
    await expect.poll(() => aliveOf(sid)).toBe(false);
  });
});
