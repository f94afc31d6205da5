/** The client with the cookie, in a real browser: the ordinary work of an application. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../server/test/services/browser.ts';
import { ADMIN, USER } from '../../server/test/http/logins.ts';
import { PASSWORD, SERVICE_KEY } from '../../server/test/support.ts';
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

describe.skipIf(!hasChromium())('with the cookie', () => {
  let browser: Browser;
  let stage: Stage;
  let context: BrowserContext;
  let page: Page;
  beforeAll(async () => {
    [browser, stage] = await Promise.all([openBrowser(), openStage()]);
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });
  beforeEach(async () => {
    context = await emptied(browser, context, stage.origin);
    page = await openTab(context, stage.origin);
    stage.intercept = null;
  });

  test('logs in, is known after a reload, lists its devices, and leaves an empty cookie jar after the logout', async () => {
    expect(await sessionIn(page)).toBe(null);
    const session = await page.evaluate(([email, password]) => window.client.login({ email, password }), [
      USER,
      PASSWORD,
    ] as const);
    expect(session).toMatchObject({ client_id: 'default', user: { email: USER } });
    expect(await readable(page)).not.toMatch(/curfew_session|csrf|eyJ|rt_/);

    await page.reload();
    await startClient(page);
    expect(await sessionIn(page)).toBe(session.id);
    const sessions = await page.evaluate(() => window.client.sessions());
    expect(sessions.find(({ current }) => current)).toMatchObject({
      id: session.id,
      device: { id: session.device_id, browser: expect.stringMatching(/Chrom/) as string },
    });

    const out = await page.evaluate(() => window.client.logout());
    expect(out).toEqual({
      local: true,
      server: 'done',
      ended: 1,
      confirmed: true,
      ms: expect.any(Number) as number,
      acknowledged: 0,
      waited_out: 0,
    });
    await expect.poll(async () => (await context.cookies()).length).toBe(0);
    expect(await sessionIn(page)).toBe(null);
    expect(await heard(page)).toMatchObject([
      { reason: 'logout', by: 'self', where: 'here', sessionId: session.id },
    ]);
    // The device stays the same for the next login.
    await logIn(page);
    expect((await page.evaluate(() => window.client.session()))?.device_id).toBe(session.device_id);
  });

  test.each(['password', 'session/confirm'])(
    'every tab continues with the new session of /v1/%s, and no logout is announced',
    async (way) => {
      const own = { email: `${way.replace('/', '-')}@example.com`, password: 'a first pass phrase' };
      await stage.on.call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body: own });
      await page.evaluate((credentials) => window.client.login(credentials), own);
      const second = await openTab(page.context(), stage.origin);
      await expect.poll(() => sessionIn(second)).not.toBe(null);
      for (const tab of [page, second]) await tab.evaluate(() => (window.heard.length = 0));
      const before = await page.evaluate(() => window.client.session());
      const renew = (password: string, next: string) =>
        page.evaluate(
          async ([path, current, other]) => {
            const response = await window.client.fetch(`/v1/${path}`, {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify(
                path === 'password'
                  ? { current_password: current, new_password: other }
                  : { password: current },
              ),
            });
            return response.status;
          },
          [way, password, next] as const,
        );
      expect(await renew(own.password, 'a new pass phrase')).toBe(200);
      for (const tab of [page, second]) {
        const after = await tab.evaluate(() => window.client.session());
        expect(after?.user_id).toBe(before?.user_id);
        expect(after?.id).not.toBe(before?.id);
        // With the new CSRF token.
        expect(await tab.evaluate(async () => (await window.client.logout({ scope: 'others' })).server)).toBe(
          'done',
        );
        expect(await tab.evaluate(() => window.heard)).toEqual([]);
      }
      await second.close();
      await page.evaluate(() => window.client.logout());
    },
  );

  test('an error carries the authority’s code, status and field', async () => {
    const wrong = await page.evaluate(async () => {
      const { ProblemError } = window.curfew;
      const failure = await window.client
        .login({ email: 'test@example.com', password: 'no' })
        .catch((e: unknown) => e);
      const { name, status, code, message, field } = failure as InstanceType<typeof ProblemError>;
      return { isProblem: failure instanceof ProblemError, name, status, code, message, field };
    });
    expect(wrong).toEqual({
      isProblem: true,
      name: 'ProblemError',
      status: 401,
      code: 'invalid_credentials',
      message: 'Wrong e-mail address or password.',
      field: null,
    });
    const bad = await page.evaluate(() =>
      window.client
        .login({ email: 'nobody', password: 'no' })
        .catch((e: { code: string; field: string }) => [e.code, e.field]),
    );
    expect(bad).toEqual(['invalid_request', 'email']);
  });

  test('a changing request carries the CSRF token, also in a page that was just loaded', async () => {
    await logIn(page);
    await page.reload();
    await startClient(page, {}, false);
    const status = await page.evaluate(
      async () =>
        (
          await window.client.fetch('/v1/logout', {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: '{"scope":"others"}',
          })
        ).status,
    );
    expect(status).toBe(200);
  });

  test('a refusal that is not about the credential leaves the session', async () => {
    const sid = await logIn(page);
    stage.requests.length = 0;
    const answer = await page.evaluate(async () => {
      const response = await window.client.fetch('/v1/password', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ current_password: 'wrong', new_password: 'correct horse battery' }),
      });
      return [response.status, ((await response.json()) as { code: string }).code];
    });
    expect(answer).toEqual([401, 'invalid_credentials']);
    expect(stage.count('POST /v1/password')).toBe(1);
    expect(await sessionIn(page)).toBe(sid);
    expect(await heard(page)).toEqual([]);
  });

  test('a refused request announces that the session has ended', async () => {
    const sid = await logIn(page);
    await stage.on.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'sessions', sessions: [sid], wait: 'replicas' },
    });
    const status = await page.evaluate(async () => (await window.client.fetch('/v1/sessions')).status);
    expect(status).toBe(401);
    await expect.poll(() => heard(page)).toMatchObject([{ sessionId: sid }]);
    expect(await page.evaluate(() => window.client.endedBecause?.sessionId)).toBe(sid);
    expect(await sessionIn(page)).toBe(null);
  });

  test('a login in another tab gives this tab the new session, and no request is repeated in the wrong session', async () => {
    const first = await logIn(page);
    const other = await openTab(context, stage.origin);
    const second = await logIn(other, ADMIN);
    await expect
      .poll(() => heard(page))
      .toMatchObject([{ reason: 'replaced_by_login', where: 'another tab', sessionId: first }]);
    expect(await sessionIn(page)).toBe(second);

    // The same where tabs cannot talk: this one still believes in the earlier user.
    const mute = await context.newPage();
    await mute.addInitScript(() => Object.defineProperty(window, 'BroadcastChannel', { value: undefined }));
    await mute.goto(stage.origin);
    await startClient(mute, { notices: false });
    expect(await sessionIn(mute)).toBe(second);
    const third = await logIn(other);
    const answers = await mute.evaluate(async () => {
      const change = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"scope":"all"}',
      };
      const response = await window.client.fetch('/v1/logout', change);
      return [response.status, ((await response.json()) as { code: string }).code];
    });
    expect(answers).toEqual([403, 'csrf_failed']);
    expect(await heard(mute)).toMatchObject([{ reason: 'replaced_by_login', sessionId: second }]);
    expect(await sessionIn(page)).toBe(third);
  });

  test('the answer to a question from before a login does not change the new session', async () => {
    expect(await sessionIn(page)).toBe(null);
    for (const before of ['nobody', 'a session that the login replaces']) {
      const held = new Promise<() => void>((resolve) => {
        stage.intercept = (req, res) => {
          if (req.url !== '/v1/session') return false;
          stage.intercept = null;
          resolve(() => stage.on.authority.listener(req, res));
          return true;
        };
      });
      const answer = page.evaluate(async () => (await window.client.session())?.id);
      const release = await held;
      const sid = await logIn(page);
      release();
      expect(await answer, before).toBe(sid);
      expect(await heard(page), before).toEqual([]);
    }
  });

  test('scope others keeps this session, scope all ends it', async () => {
    const elsewhere = await browser.newContext();
    const phone = await openTab(elsewhere, stage.origin, { notices: false });
    await logIn(phone);
    const sid = await logIn(page);
    const others = await page.evaluate(() => window.client.logout({ scope: 'others' }));
    expect(others).toMatchObject({ server: 'done', confirmed: true });
    expect(others).toHaveProperty('ended', expect.any(Number));
    expect(await sessionIn(phone)).toBe(null);
    expect(await sessionIn(page)).toBe(sid);
    expect(await heard(page)).toEqual([]);
    await logIn(phone);
    expect(await page.evaluate(() => window.client.logout({ scope: 'all' }))).toMatchObject({ ended: 2 });
    expect(await sessionIn(phone)).toBe(null);
    expect(await heard(page)).toMatchObject([{ where: 'here' }]);
    await elsewhere.close();
  });

  test('a refused logout of a wider scope changes nothing', async () => {
    const sid = await logIn(page);
    stage.intercept = (req, res) => {
      if (req.url !== '/v1/logout') return false;
      res.writeHead(403, { 'content-type': 'application/problem+json' });
      res.end('{"code":"login_too_old","status":403,"title":"The password is needed again."}');
      return true;
    };
    const refused = await page.evaluate(() =>
      window.client
        .logout({ scope: 'all' })
        .catch((e: { code: string; status: number }) => [e.code, e.status]),
    );
    expect(refused).toEqual(['login_too_old', 403]);
    expect(await sessionIn(page)).toBe(sid);
    expect(await heard(page)).toEqual([]);
  });

  test('the credential goes to no other origin', async () => {
    await logIn(page);
    const seen: string[] = [];
    // Another port is another origin of the same site, to which the browser would send the cookie if asked to.
    const foreign = await openStage();
    foreign.api = (req, res) => {
      seen.push(
        `${req.headers.cookie ?? ''}|${req.headers.authorization ?? ''}|${String(req.headers['x-csrf-token'] ?? '')}`,
      );
      res.setHeader('access-control-allow-origin', stage.origin);
      res.setHeader('access-control-allow-credentials', 'true');
      res.end('{}');
    };
    try {
      await page.evaluate((to) => window.client.fetch(`${to}/api`), foreign.origin);
      await page.evaluate(async (to) => {
        const named = window.curfew.createClient({ origins: [to] });
        await named.fetch(`${to}/api`);
        named.close();
      }, foreign.origin);
      expect(seen[0]).toBe('||');
      expect(seen[1]).toMatch(/^curfew_session=[^|]+\|\|$/);
    } finally {
      await foreign.close();
    }
  });

  test('logs in and out with the authority on another origin', async () => {
    const app = await openStage();
    const id = await openStage({ CURFEW_TRUSTED_ORIGINS: app.origin });
    const elsewhere = await browser.newContext();
    try {
      const tab = await openTab(elsewhere, app.origin, { authority: id.origin });
      const sid = await logIn(tab);
      expect(await sessionIn(tab)).toBe(sid);
      const status = await tab.evaluate(
        async (to) => (await window.client.fetch(`${to}/v1/sessions`)).status,
        id.origin,
      );
      expect(status).toBe(200);
      expect(await tab.evaluate(() => window.client.logout())).toMatchObject({ server: 'done', ended: 1 });
      expect(await elsewhere.cookies()).toEqual([]);
      expect(await sessionIn(tab)).toBe(null);
    } finally {
      await elsewhere.close();
      await Promise.all([app.close(), id.close()]);
    }
  });
});
