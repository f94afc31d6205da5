/** Several clients in one page: those with a session of their own keep to themselves. */
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { hasChromium, openBrowser } from '../../server/test/services/browser.ts';
import { PASSWORD, SERVICE_KEY } from '../../server/test/support.ts';
import { emptied, openStage, openTab, type Stage, withoutNewApis } from './stage.ts';

describe.skipIf(!hasChromium())('several clients in one page', () => {
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
    stage.intercept = null;
    stage.requests.length = 0;
  });

  test.each([
    ['with Web Locks and channels', false],
    ['without', true],
  ])('clients of two users with tokens in memory are independent, %s', async (_, isOld) => {
    onTestFinished(() => context.close());
    if (isOld) await withoutNewApis(context);
    const page = await openTab(context, stage.origin, {}, false);
    // Each has a socket of its own, which a quick logout would come before.
    await page.exposeFunction('bothListen', async () => {
      await expect.poll(() => stage.count('UPGRADE /v1/notices')).toBe(2);
    });
    const said = await page.evaluate(async (password) => {
      const make = (): [typeof client, string[]] => {
        const client = window.curfew.createClient({ mode: 'bearer' });
        const log: string[] = [];
        client.onLoggedOut(({ reason, where }) => void log.push(`${reason} ${where}`));
        return [client, log];
      };
      const [one, ofOne] = make();
      const [other, ofOther] = make();
      const a = await one.login({ email: 'test@example.com', password });
      const b = await other.login({ email: 'admin@example.com', password });
      const before = [(await one.session())?.id === a.id, (await other.session())?.id === b.id];
      await (window as unknown as { bothListen(): Promise<void> }).bothListen();
      await one.logout({ scope: 'all' });
      const after = [await one.session(), (await other.session())?.id === b.id];
      const stays = (await other.fetch('/v1/sessions')).status;
      await other.logout();
      return { before, after, stays, ofOne, ofOther };
    }, PASSWORD);
    expect(said).toEqual({
      before: [true, true],
      after: [null, true],
      stays: 200,
      ofOne: ['logout here'],
      ofOther: ['logout here'],
    });
  });

  test('clients of different modes (cookie, tokens in memory, tokens in localStorage) are independent', async () => {
    const page = await openTab(context, stage.origin, {}, false);
    const said = await page.evaluate(async (password) => {
      const modes = [{}, { mode: 'bearer' }, { mode: 'bearer', storage: 'local' }] as const;
      const log: string[] = [];
      const clients = modes.map((mode) => window.curfew.createClient({ ...mode, notices: false }));
      const [cookie, memory, local] = clients as [
        typeof window.client,
        typeof window.client,
        typeof window.client,
      ];
      const device = (await memory.login({ email: 'test@example.com', password })).device_id;
      // This one has not asked yet whether it has a session.
      const late = window.curfew.createClient({ notices: false });
      late.onLoggedOut(({ reason }) => void log.push(`late ${reason}`));
      const ids = [
        (await cookie.login({ email: 'admin@example.com', password })).id,
        (await memory.session())?.id,
        (await local.login({ email: 'test@example.com', password })).id,
      ];
      cookie.onLoggedOut(({ reason }) => void log.push(`cookie ${reason}`));
      memory.onLoggedOut(({ reason }) => void log.push(`memory ${reason}`));
      local.onLoggedOut(({ reason }) => void log.push(`local ${reason}`));
      const asked = async (): Promise<(boolean | null)[]> => {
        const sessions = await Promise.all(clients.map((client) => client.session()));
        return sessions.map((session, nth) => session && session.id === ids[nth]);
      };
      const steps = [await asked()];
      await memory.logout();
      steps.push(await asked());
      await local.logout();
      steps.push(await asked(), [(await late.session())?.id === ids[0]]);
      // The browser is one device, for every client in it.
      const again = await memory.login({ email: 'test@example.com', password });
      return { steps, log, sameDevice: again.device_id === device };
    }, PASSWORD);
    expect(said).toEqual({
      steps: [[true, true, true], [true, null, true], [true, null, null], [true]],
      log: ['memory logout', 'local logout'],
      sameDevice: true,
    });
  });

  test('a client that cannot send a queued logout leaves it for the one that can', async () => {
    const page = await openTab(context, stage.origin, { mode: 'bearer', notices: false });
    const refused: string[] = [];
    let access = '';
    let holds = true;
    stage.intercept = (req, res) => {
      const problem = (status: number, code: string): true => {
        res.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ code }));
        return true;
      };
      if (holds && (req.url === '/v1/refresh' || (req.url === '/v1/logout' && !access)))
        return problem(503, 'unavailable');
      // As with an expired token, or without one.
      const { authorization = access } = req.headers;
      if (req.url !== '/v1/logout' || authorization !== access) return false;
      refused.push(authorization);
      return problem(401, 'not_authenticated');
    };
    const sid = await page.evaluate(async (password) => {
      const { id } = await window.client.login({ email: 'test@example.com', password });
      const result = await window.client.logout();
      if (result.server === 'pending') void result.sent.then((told) => void Object.assign(window, { told }));
      return id;
    }, PASSWORD);
    const written = await page.evaluate(
      () => Object.entries(localStorage).find(([key]) => key.includes('out:'))?.[1] as string,
    );
    // Time goes by. A page that has its tokens in memory knows better.
    await page.evaluate((text) => {
      const [key = ''] = Object.keys(localStorage).filter((one) => one.includes('out:'));
      const untold = JSON.parse(text) as { tokens: object };
      const tokens = { ...untold.tokens, untilMs: Date.now() - 1 };
      localStorage.setItem(key, JSON.stringify({ ...untold, tokens }));
    }, written);
    access = `Bearer ${(JSON.parse(written) as { tokens: { access: string } }).tokens.access}`;
    const others = await page.evaluate(async (password) => {
      const other = window.curfew.createClient({ mode: 'bearer', notices: false });
      await other.login({ email: 'admin@example.com', password });
      return (await other.session())?.user.email;
    }, PASSWORD);
    expect(others).toBe('admin@example.com');
    expect(refused.length).toBeGreaterThan(0);
    holds = false;
    await expect.poll(() => page.evaluate('window.told')).toMatchObject({ ended: 1, confirmed: true });
    const { json } = await stage.on.call('GET', '/v1/admin/sessions?user_id=2', { bearer: SERVICE_KEY });
    expect((json as { sessions: { id: string }[] }).sessions.map(({ id }) => id)).not.toContain(sid);
    expect(
      await page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('out:'))),
    ).toEqual([]);
  });
});
