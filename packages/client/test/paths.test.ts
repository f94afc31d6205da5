/** An authority under a path of its host, behind a proxy that strips the path; and other applications on that host. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../server/test/services/browser.ts';
import { variants } from '../../server/test/services/budget.ts';
import { PASSWORD, SERVICE_KEY } from '../../server/test/support.ts';
import { emptied, heard, logIn, openStage, openTab, sessionIn, type Stage, startClient } from './stage.ts';

const modes = [
  ['the cookie', { mode: 'cookie' }],
  ['tokens in memory', { mode: 'bearer' }],
  ['tokens in localStorage', { mode: 'bearer', storage: 'local' }],
] as const;

describe.skipIf(!hasChromium())('an authority under a path', () => {
  let browser: Browser;
  let stage: Stage;
  let context: BrowserContext;
  beforeAll(async () => {
    [browser, stage] = await Promise.all([openBrowser(), openStage({}, ['/auth', '/other'])]);
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
  const strays = (): string[] => stage.requests.filter((one) => one.includes('/nowhere'));

  test.each(variants(modes))(
    'with %s every request and the socket keep the path',
    { tags: 'long' },
    async (_, mode) => {
      const page = await openTab(context, stage.origin, { ...mode, authority: `${stage.origin}/auth/` });
      const sid = await logIn(page);
      await expect.poll(() => stage.count('UPGRADE /v1/notices')).toBe(1);
      expect(await sessionIn(page)).toBe(sid);
      const fetched = await page.evaluate(async (password) => {
        const list = await window.client.sessions();
        const listed = await window.client.fetch('/auth/v1/sessions');
        const renewed = await window.client.fetch('/auth/v1/session/confirm', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ password }),
        });
        return [list.length, listed.status, renewed.status];
      }, PASSWORD);
      expect(fetched).toEqual([expect.any(Number), 200, 200]);
      // Confirmed: another session has replaced the first, and this was no logout.
      const next = await sessionIn(page);
      expect(next).not.toBe(sid);
      expect(await heard(page)).toEqual([]);

      // Ended elsewhere, and announced over the socket.
      await expect.poll(() => stage.sockets()).toBe(1);
      await stage.on.call('POST', '/v1/admin/logout', {
        bearer: SERVICE_KEY,
        body: { scope: 'sessions', sessions: [next] },
      });
      await expect.poll(() => heard(page)).toMatchObject([{ where: 'elsewhere', sessionId: next }]);

      await logIn(page);
      expect(await page.evaluate(() => window.client.logout())).toMatchObject({ server: 'done', ended: 1 });
      expect(strays()).toEqual([]);
      expect(await context.cookies()).toEqual([]);
    },
  );

  test.each(variants(modes))(
    'with %s an offline logout is sent below the path, also after a reload',
    { tags: 'long' },
    async (_, mode) => {
      const options = { ...mode, authority: '/auth', notices: false };
      const page = await openTab(context, stage.origin, options);
      const sid = await logIn(page);
      stage.cut = true;
      expect(await page.evaluate(async () => (await window.client.logout()).server)).toBe('pending');
      stage.cut = false;
      await page.reload();
      await startClient(page, options);
      const alive = async (): Promise<boolean> => {
        const { json } = await stage.on.call('GET', '/v1/admin/sessions?user_id=2', { bearer: SERVICE_KEY });
        return (json as { sessions: { id: string }[] }).sessions.some(({ id }) => id === sid);
      };
      await expect.poll(alive).toBe(false);
      expect(strays()).toEqual([]);
    },
  );

  /** The requests that the page's own API received, by address. */
  async function carriedTo(page: Page, addresses: string[]): Promise<boolean[]> {
    const seen: boolean[] = [];
    stage.api = (req, res) => {
      seen.push(req.headers.authorization?.startsWith('Bearer eyJ') ?? false);
      res.end();
    };
    for (const address of addresses)
      await page.evaluate(async (to) => void (await window.client.fetch(to)), address);
    return seen;
  }

  test('the token goes below the path, and elsewhere on the host only where `origins` says so', async () => {
    const { origin } = stage;
    const options = { mode: 'bearer', storage: 'local', authority: `${origin}/api/auth`, notices: false };
    const logged = { mode: 'bearer', storage: 'local', authority: '/auth', notices: false } as const;
    const page = await openTab(context, origin, logged);
    await logIn(page);
    const paths = [
      '/api',
      '/api/orders',
      '/api/orders?id=1',
      '/api/ordersmith',
      '/api/x/../orders/1',
      '/api/%6frders',
    ];
    expect(await carriedTo(page, paths)).toEqual(paths.map(() => false));
    await startClient(page, { ...logged, origins: [`${origin}/api/orders/`] }, false);
    expect(await carriedTo(page, paths)).toEqual([false, true, true, false, true, false]);
    await startClient(page, { ...logged, origins: [origin] }, false);
    expect(await carriedTo(page, paths)).toEqual(paths.map(() => true));

    // The authority's own path, as long as it is that and no other that begins alike.
    await page.evaluate(
      ([from, to]) => {
        localStorage.setItem(
          `curfew:${to}:default:tokens`,
          localStorage.getItem(`curfew:${from}:default:tokens`) ?? '',
        );
      },
      [`${origin}/auth`, `${origin}/api/auth`] as const,
    );
    await startClient(page, options as never, false);
    const own = [
      '/api/auth',
      '/api/auth/v1/x',
      '/api/authors',
      '/api/auth/../orders',
      '/api/auth?x=1',
      '/api',
    ];
    expect(await carriedTo(page, own)).toEqual([true, true, false, false, true, false]);
  });

  test('two authorities on one host share neither sessions nor messages', async () => {
    const options = { mode: 'bearer', storage: 'local', notices: false } as const;
    const one = await openTab(context, stage.origin, { ...options, authority: '/auth' });
    const other = await openTab(context, stage.origin, { ...options, authority: '/other' });
    const sid = await logIn(one);
    expect(await sessionIn(other)).toBe(null);
    const second = await logIn(other, 'admin@example.com');
    await one.evaluate(() => window.client.logout());
    // A later message of that channel has arrived.
    await other.evaluate(() => window.client.fetch('/auth/v1/session'));
    expect(await sessionIn(other)).toBe(second);
    expect(await heard(other)).toEqual([]);
    expect(await heard(one)).toMatchObject([{ sessionId: sid, where: 'here' }]);
  });

  test('an invalid address throws a TypeError that names the option', async () => {
    const wrong = [
      'auth.example.com',
      'localhost:8000',
      '',
      'https:auth',
      'ftp://h/auth',
      'https://user:secret@h/auth',
      'https://h/auth?x=1',
      'https://h/auth#x',
      'https://',
    ];
    const page = await openTab(context, stage.origin, {}, false);
    const said = await page.evaluate(
      (addresses) =>
        addresses.map((address) =>
          [{ authority: address }, { origins: [address] }].map((options) => {
            try {
              window.curfew.createClient(options);
            } catch (error) {
              return String(error);
            }
            return `${address} is taken`;
          }),
        ),
      wrong,
    );
    const no = [
      'TypeError: authority: must be an http(s) address',
      'TypeError: origins: must be an http(s) address',
    ];
    expect(said).toEqual(wrong.map(() => no));
  });
});
