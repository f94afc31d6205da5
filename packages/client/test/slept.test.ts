/** The tab that slept: frozen by the browser as it freezes tabs in the background, and awake again much later. */
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { hasChromium, openBrowser } from '../../server/test/services/browser.ts';
import { SERVICE_KEY } from '../../server/test/support.ts';
import { emptied, heard, logIn, openStage, openTab, sessionIn, type Stage, startClient } from './stage.ts';

const LOCAL = { mode: 'bearer', storage: 'local', notices: false } as const;

describe.skipIf(!hasChromium())('the tab that slept', () => {
  let browser: Browser;
  let stage: Stage;
  let context: BrowserContext;
  beforeAll(async () => {
    [browser, stage] = await Promise.all([
      openBrowser(),
      // Every replayed token ends its session, and every token expires during the sleep.
      openStage({ CURFEW_REFRESH_GRACE_SECONDS: '0', CURFEW_ACCESS_TOKEN_SECONDS: '1' }),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });
  beforeEach(async () => {
    context = await emptied(browser, context, stage.origin);
  });

  async function freeze(page: Page): Promise<CDPSession> {
    const session = await page.context().newCDPSession(page);
    await session.send('Page.setWebLifecycleState', { state: 'frozen' });
    return session;
  }
  const wake = async (session: CDPSession): Promise<void> => {
    await session.send('Page.setWebLifecycleState', { state: 'active' });
  };
  const becomeVisible = (page: Page): Promise<unknown> =>
    page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));

  test('a tab that slept through refreshes takes the others’ tokens, and does not end the session with an old one', async () => {
    const sleeper = await openTab(context, stage.origin, LOCAL);
    const awake = await openTab(context, stage.origin, LOCAL);
    const sid = await logIn(sleeper);
    expect(await sessionIn(sleeper)).toBe(sid);
    const frozen = await freeze(sleeper);
    stage.requests.length = 0;
    for (let nth = 0; nth < 3; nth++) {
      await awake.waitForTimeout(1100);
      expect(await sessionIn(awake)).toBe(sid);
    }
    expect(stage.count('POST /v1/refresh')).toBeGreaterThanOrEqual(3);
    await wake(frozen);
    expect(await sessionIn(sleeper)).toBe(sid);
    expect(await sessionIn(awake)).toBe(sid);
    expect([await heard(sleeper), await heard(awake)]).toEqual([[], []]);
  });

  test.each([
    ['cookie', { notices: false }],
    ['tokens', LOCAL],
  ] as const)('a tab that slept through a logout learns of it on waking: with %s', async (_, options) => {
    const sleeper = await openTab(context, stage.origin, options);
    const sid = await logIn(sleeper);
    const frozen = await freeze(sleeper);
    await stage.on.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'user', user_id: 2 },
    });
    await wake(frozen);
    expect(await heard(sleeper)).toEqual([]);
    // The network is back, as it is after sleep.
    await sleeper.evaluate(() => window.dispatchEvent(new Event('online')));
    await expect.poll(() => heard(sleeper)).toMatchObject([{ sessionId: sid, where: 'found' }]);
  });

  test('a tab learns of a logout when it becomes visible', async () => {
    const page = await openTab(context, stage.origin, { notices: false });
    const sid = await logIn(page);
    // Its clock stays another one.
    onTestFinished(() => context.close());
    await page.clock.install();
    await stage.on.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'user', user_id: 2 },
    });
    await page.clock.fastForward(60_000);
    await becomeVisible(page);
    await expect.poll(() => heard(page)).toMatchObject([{ sessionId: sid, where: 'found' }]);
  });

  test('a visible page learns of a logout after a closed lid, by the clock alone', async () => {
    const page = await context.newPage();
    // Its clock stays another one.
    onTestFinished(() => context.close());
    await page.clock.install();
    await page.goto(stage.origin);
    await startClient(page, { notices: false });
    const sid = await logIn(page);
    await stage.on.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'user', user_id: 2 },
    });
    // One tick of the timer, and the clock has gone on by an hour.
    await page.clock.fastForward(3_600_000);
    await expect.poll(() => heard(page)).toMatchObject([{ sessionId: sid, where: 'found' }]);
  });

  test('a tab that slept through a logout in another tab of its browser is logged out', async () => {
    const sleeper = await openTab(context, stage.origin, LOCAL);
    const awake = await openTab(context, stage.origin, LOCAL);
    const sid = await logIn(awake);
    // Another process of the browser may see a write a moment later.
    await expect.poll(() => sessionIn(sleeper)).toBe(sid);
    const frozen = await freeze(sleeper);
    await awake.evaluate(() => window.client.logout());
    await wake(frozen);
    await expect
      .poll(() => heard(sleeper))
      .toMatchObject([{ sessionId: sid, reason: 'logout', where: 'another tab' }]);
    expect(await sessionIn(sleeper)).toBe(null);
  });
});
