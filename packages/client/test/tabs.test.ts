/** A logout in one tab logs out all tabs at once, with current browser APIs and without them. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../server/test/services/browser.ts';
import { variants } from '../../server/test/services/budget.ts';
import {
  heard,
  logIn,
  openStage,
  openTab,
  sessionIn,
  type Stage,
  startClient,
  withoutNewApis,
} from './stage.ts';

describe.skipIf(!hasChromium())('tabs', () => {
  let browser: Browser;
  let stage: Stage;
  beforeAll(async () => {
    [browser, stage] = await Promise.all([openBrowser(), openStage()]);
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });

  const modes = [
    ['cookie', {}],
    ['tokens in memory', { mode: 'bearer', storage: 'memory' }],
    ['tokens in localStorage', { mode: 'bearer', storage: 'local' }],
  ] as const;

  test.each([
    ['BroadcastChannel', false],
    ['storage events', true],
  ])('a logout in one tab logs out all tabs, by %s', { tags: 'long' }, async (_, old) => {
    const context = await browser.newContext();
    if (old) await withoutNewApis(context);
    const tabs: Page[] = [];
    for (let nth = 0; nth < 4; nth++) tabs.push(await openTab(context, stage.origin, {}, false));
    const [one, ...others] = tabs;
    if (!one) throw new Error('no tab');
    for (const [mode, options] of variants(modes)) {
      const isShared = mode !== 'tokens in memory';
      for (const tab of tabs) {
        await tab.evaluate(() => {
          window.client.close();
          window.heard = [];
        });
        await startClient(tab, { ...options, notices: false });
      }
      const sid = await logIn(one);
      const sids = [sid];
      for (const tab of others) {
        // Separate sessions, or a shared one.
        if (!isShared) sids.push(await logIn(tab));
        // Another process of the browser may see a write a moment later.
        else await expect.poll(() => sessionIn(tab), { message: mode }).toBe(sid);
      }
      stage.requests.length = 0;
      const out = await one.evaluate(async () => {
        let cleared = 0;
        window.client.onLoggedOut(async () => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          cleared++;
        });
        const result = await window.client.logout();
        return { result, cleared };
      });
      // A listener that takes its time is waited for.
      expect(out, mode).toMatchObject({ cleared: 1, result: { server: 'done', ended: 1 } });
      for (const [nth, tab] of others.entries()) {
        await expect.poll(() => heard(tab), { message: mode }).toHaveLength(1);
        const [why] = await heard(tab);
        expect(why, mode).toMatchObject({
          reason: 'logout',
          by: 'self',
          where: 'another tab',
          sessionId: isShared ? sid : sids[nth + 1],
        });
        expect(await sessionIn(tab), mode).toBe(null);
      }
      // The sessions that were a tab's own are over on the server as well.
      await expect.poll(() => stage.count('POST /v1/logout'), { message: mode }).toBe(isShared ? 1 : 4);
      expect(await context.cookies()).toEqual([]);
    }
    await context.close();
  });

  test('an answer under way does not restore an ended session', async () => {
    const context = await browser.newContext();
    const page = await openTab(context, stage.origin, { notices: false }, false);
    await logIn(page);
    const other = await openTab(context, stage.origin, { notices: false }, false);
    let release: (() => void) | undefined;
    stage.intercept = (req, res) => {
      if (req.url !== '/v1/session') return false;
      // Answered before the logout, and on its way for long.
      const cookie = /curfew_session=([^;]*)/.exec(req.headers.cookie ?? '')?.[1] ?? '';
      void stage.on.call('GET', '/v1/session', { cookie }).then(({ status, text }) => {
        release = () => res.writeHead(status, { 'content-type': 'application/json' }).end(text);
      });
      return true;
    };
    const asked = sessionIn(other);
    await expect.poll(() => release).toBeDefined();
    await page.evaluate(() => window.client.logout());
    await expect.poll(() => other.evaluate(() => window.client.endedBecause?.where)).toBe('another tab');
    release?.();
    stage.intercept = null;
    expect(await asked).toBe(null);
    await context.close();
  });

  test('a login’s message that arrives before its tokens logs nobody out', async () => {
    const context = await browser.newContext();
    const options = { mode: 'bearer', storage: 'local', notices: false } as const;
    const one = await openTab(context, stage.origin, options);
    const other = await openTab(context, stage.origin, options);
    // Another process of the browser sees a write a moment later, here a long one.
    await other.evaluate(() => {
      const getItem = localStorage.getItem.bind(localStorage);
      Storage.prototype.getItem = (name) => (name.endsWith('tokens') ? null : getItem(name));
      window.arrive = () => void (Storage.prototype.getItem = getItem);
    });
    const sid = await logIn(one);
    for (let nth = 0; nth < 10; nth++) expect(await sessionIn(other)).toBe(null);
    await other.evaluate(() => window.arrive?.());
    await expect.poll(() => sessionIn(other)).toBe(sid);
    expect(await heard(other)).toEqual([]);
    await one.evaluate(() => window.client.logout());
    await expect.poll(() => heard(other)).toMatchObject([{ sessionId: sid, where: 'another tab' }]);
    await context.close();
  });

  test('of two users with tokens in memory, one logs out alone', async () => {
    const context = await browser.newContext();
    const options = { mode: 'bearer', notices: false } as const;
    const one = await openTab(context, stage.origin, options);
    const other = await openTab(context, stage.origin, options);
    await logIn(one);
    const sid = await logIn(other, 'admin@example.com');
    await one.evaluate(() => window.client.logout());
    expect(await sessionIn(other)).toBe(sid);
    expect(await heard(other)).toEqual([]);
    await context.close();
  });

  test('a listener may log in again at once, and a failing one affects nothing else', async () => {
    const context = await browser.newContext();
    const page = await openTab(context, stage.origin, { notices: false });
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    const sid = await logIn(page);
    const next = await page.evaluate(
      () =>
        new Promise<string>((resolve) => {
          window.client.onLoggedOut(() => {
            throw new Error('of the listener');
          });
          window.client.onLoggedOut(async () => {
            resolve((await window.client.login({ email: 'test@example.com', password: 'password123' })).id);
          });
          void window.client.logout();
        }),
    );
    expect(next).not.toBe(sid);
    expect(await sessionIn(page)).toBe(next);
    expect(errors).toEqual(['of the listener']);
    await context.close();
  });
});
