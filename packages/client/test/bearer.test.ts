/** With tokens, in a real browser: where they lie, how they are renewed, and to whom they go. */
import type { IncomingMessage } from 'node:http';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { hasChromium, openBrowser } from '../../server/test/services/browser.ts';
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

const MEMORY = { mode: 'bearer', notices: false } as const;
const LOCAL = { ...MEMORY, storage: 'local' } as const;

describe.skipIf(!hasChromium())('with tokens', () => {
  let browser: Browser;
  let stage: Stage;
  let context: BrowserContext;
  beforeAll(async () => {
    [browser, stage] = await Promise.all([openBrowser(), openStage({ CURFEW_ACCESS_TOKEN_SECONDS: '600' })]);
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });
  beforeEach(async () => {
    context = await emptied(browser, context, stage.origin);
    stage.intercept = null;
    stage.cut = false;
    stage.requests.length = 0;
  });

  const bodyOf = async (req: IncomingMessage): Promise<string> => {
    let text = '';
    for await (const chunk of req) text += String(chunk);
    return text;
  };
  /** A back end that refuses the first token that it is shown. */
  function refuseFirst(): { bodies: string[]; tokens: string[] } {
    const seen = { bodies: [] as string[], tokens: [] as string[] };
    stage.api = (req, res) => {
      void bodyOf(req).then((body) => {
        const token = req.headers.authorization ?? '';
        seen.bodies.push(body);
        seen.tokens.push(token);
        res.writeHead(token === seen.tokens[0] ? 401 : 200).end();
      });
    };
    return seen;
  }
  const post = (page: Page): Promise<number> =>
    page.evaluate(
      async () => (await window.client.fetch('/api/pay', { method: 'POST', body: 'ten' })).status,
    );

  test('by default no token is stored where a script can read it, and no cookie is set', async () => {
    const page = await openTab(context, stage.origin, MEMORY);
    const sid = await logIn(page);
    expect(await readable(page)).not.toMatch(/eyJ|rt_/);
    expect(await context.cookies()).toEqual([]);
    expect(await sessionIn(page)).toBe(sid);
    await page.reload();
    await startClient(page, MEMORY);
    expect(await sessionIn(page)).toBe(null);
  });

  test('with storage local tokens survive a reload, and a logout removes them', async () => {
    const page = await openTab(context, stage.origin, LOCAL);
    const sid = await logIn(page);
    expect(await readable(page)).toMatch(/rt_/);
    await page.reload();
    await startClient(page, LOCAL);
    expect(await sessionIn(page)).toBe(sid);
    expect(await page.evaluate(() => window.client.logout())).toMatchObject({ server: 'done', ended: 1 });
    expect(await readable(page)).not.toMatch(/eyJ|rt_/);
    expect(await heard(page)).toMatchObject([{ where: 'here', sessionId: sid }]);
  });

  test.each([
    ['in memory', MEMORY],
    ['in localStorage', LOCAL],
  ])('%s, a refused token is renewed once and the request repeated with its body', async (_, options) => {
    const page = await openTab(context, stage.origin, options);
    await logIn(page);
    const seen = refuseFirst();
    expect(await post(page)).toBe(200);
    expect(seen.bodies).toEqual(['ten', 'ten']);
    expect(new Set(seen.tokens).size).toBe(2);
    expect(stage.count('POST /v1/refresh')).toBe(1);

    // A server that refuses every token is asked twice and no more.
    let asked = 0;
    stage.api = (_req, res) => {
      asked++;
      res.writeHead(401).end();
    };
    expect(await post(page)).toBe(401);
    expect(asked).toBe(2);
    expect(await heard(page)).toEqual([]);
  });

  test('twenty concurrent requests renew the token once', async () => {
    const page = await openTab(context, stage.origin, LOCAL);
    await logIn(page);
    refuseFirst();
    const all = await page.evaluate(() =>
      Promise.all(Array.from({ length: 20 }, async () => (await window.client.fetch('/api')).status)),
    );
    expect(new Set(all)).toEqual(new Set([200]));
    expect(stage.count('POST /v1/refresh')).toBe(1);
  });

  test('an expired token is renewed before the request is sent', async () => {
    const page = await context.newPage();
    // Its clock stays another one.
    onTestFinished(() => context.close());
    await page.clock.install();
    await page.goto(stage.origin);
    await startClient(page, MEMORY);
    await logIn(page);
    const refused: number[] = [];
    stage.api = (req, res) => {
      void stage.on
        .call('GET', '/v1/check', { bearer: String(req.headers.authorization).slice(7) })
        .then(({ status }) => {
          if (status !== 200) refused.push(status);
          res.writeHead(status).end();
        });
    };
    // For the authority and for the page, whose timers do not notice.
    stage.pass(601);
    await page.clock.setSystemTime(Date.now() + 601_000);
    expect(await post(page)).toBe(200);
    expect(refused).toEqual([]);
    expect(stage.count('POST /v1/refresh')).toBe(1);
  });

  test('a refusal that is not about the token renews nothing', async () => {
    const page = await openTab(context, stage.origin, MEMORY);
    await logIn(page);
    const code = await page.evaluate(async () => {
      const response = await window.client.fetch('/v1/password', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ current_password: 'wrong', new_password: 'correct horse battery' }),
      });
      return ((await response.json()) as { code: string }).code;
    });
    expect(code).toBe('invalid_credentials');
    expect(stage.count('POST /v1/password')).toBe(1);
    expect(stage.count('POST /v1/refresh')).toBe(0);
  });

  test('a refresh whose answer was lost is repeated with the same token, and the session goes on', async () => {
    const page = await openTab(context, stage.origin, LOCAL);
    const sid = await logIn(page);
    refuseFirst();
    let lost = 0;
    stage.intercept = (req, res) => {
      // The browser itself repeats a request once that was lost on a kept connection.
      if (req.url !== '/v1/refresh' || lost > 1) return false;
      lost++;
      // The server does its part; the answer does not arrive.
      const writeHead = res.writeHead.bind(res);
      res.writeHead = ((...args: Parameters<typeof writeHead>) => {
        req.socket.destroy();
        return writeHead(...args);
      }) as typeof res.writeHead;
      return false;
    };
    expect(await post(page)).toBe(200);
    expect(lost).toBe(2);
    expect(stage.count('POST /v1/refresh')).toBe(3);
    expect(await sessionIn(page)).toBe(sid);
  });

  test('an unreachable authority logs nobody out', async () => {
    const page = await openTab(context, stage.origin, LOCAL);
    const sid = await logIn(page);
    refuseFirst();
    stage.cut = true;
    const failure = await page.evaluate(() => window.client.fetch('/api').catch((e: Error) => e.name));
    expect(failure).toBe('TypeError');
    stage.cut = false;
    expect(await post(page)).toBe(200);
    expect(await sessionIn(page)).toBe(sid);
    expect(await heard(page)).toEqual([]);
  });

  test('a refused refresh ends the session in the page', async () => {
    const page = await openTab(context, stage.origin, LOCAL);
    const other = await openTab(context, stage.origin, LOCAL);
    const sid = await logIn(page);
    await expect.poll(() => sessionIn(other)).toBe(sid);
    refuseFirst();
    await stage.on.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'sessions', sessions: [sid] },
    });
    expect(await post(page)).toBe(401);
    for (const tab of [page, other])
      await expect.poll(() => heard(tab)).toMatchObject([{ sessionId: sid, where: 'found' }]);
    expect(await readable(page)).not.toMatch(/eyJ|rt_/);
  });

  test('a login over an existing session ends that session', async () => {
    const page = await openTab(context, stage.origin, LOCAL);
    await logIn(page);
    const before = JSON.parse(await readable(page)) as [Record<string, string>];
    const { access } = JSON.parse(
      Object.entries(before[0]).find(([key]) => key.endsWith(':tokens'))?.[1] ?? '',
    ) as {
      access: string;
    };
    expect((await stage.on.call('GET', '/v1/session', { bearer: access })).status).toBe(200);
    const sid = await logIn(page);
    await expect
      .poll(async () => (await stage.on.call('GET', '/v1/session', { bearer: access })).status)
      .toBe(401);
    expect(await sessionIn(page)).toBe(sid);
    expect(await heard(page)).toEqual([]);
  });

  test('a logout during a refresh wins, and the refreshed tokens are dropped', async () => {
    const page = await openTab(context, stage.origin, LOCAL);
    const other = await openTab(context, stage.origin, LOCAL);
    await logIn(page);
    await expect.poll(() => readable(other)).toMatch(/rt_/);
    refuseFirst();
    let release: (() => void) | undefined;
    stage.intercept = (req, res) => {
      if (req.url !== '/v1/refresh') return false;
      // Granted before the logout, and on its way for long.
      void bodyOf(req)
        .then((body) => stage.on.call('POST', '/v1/refresh', { body }))
        .then(({ status, text }) => {
          release = () => res.writeHead(status, { 'content-type': 'application/json' }).end(text);
        });
      return true;
    };
    const paying = post(page);
    await expect.poll(() => release).toBeDefined();
    expect(await other.evaluate(() => window.client.logout())).toMatchObject({ server: 'done' });
    await expect.poll(() => heard(page)).toHaveLength(1);
    stage.intercept = null;
    release?.();
    expect(await paying).toBe(401);
    expect(await readable(page)).not.toMatch(/eyJ|rt_/);
    expect([await sessionIn(page), await sessionIn(other)]).toEqual([null, null]);
    expect(await heard(page)).toMatchObject([{ where: 'another tab', reason: 'logout' }]);
    expect(await heard(page)).toHaveLength(1);
  });

  test('the token goes only to the authority and to named origins, and not with a caller’s own Authorization header', async () => {
    const seen: (string | undefined)[] = [];
    const foreign = await openStage();
    foreign.api = (req, res) => {
      res.setHeader('access-control-allow-origin', stage.origin);
      res.setHeader('access-control-allow-headers', 'authorization');
      if (req.method !== 'OPTIONS') seen.push(req.headers.authorization);
      res.end('{}');
    };
    try {
      const page = await openTab(context, stage.origin, LOCAL);
      await logIn(page);
      await page.evaluate(async (to) => {
        await window.client.fetch(`${to}/api`);
        const named = window.curfew.createClient({ mode: 'bearer', storage: 'local', origins: [to] });
        await named.fetch(`${to}/api`);
        await named.fetch(`${to}/api`, { headers: { authorization: 'Basic own' } });
        named.close();
      }, foreign.origin);
      expect(seen).toEqual([undefined, expect.stringMatching(/^Bearer eyJ/), 'Basic own']);
    } finally {
      await foreign.close();
    }
  });
});
