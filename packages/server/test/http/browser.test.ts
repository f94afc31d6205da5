/** In a real browser: the API page, the cookie jar after a logout, and pages of other sites. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../services/browser.ts';
import { budget, variants } from '../services/budget.ts';
import { PASSWORD } from '../support.ts';
import { ADMIN, USER } from './logins.ts';
import { ID, openSite, type Site } from './browser-site.ts';

describe.skipIf(!hasChromium())('in a browser', () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  async function fresh(options: BrowserContextOptions = {}): Promise<void> {
    await context?.close();
    context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB', ...options });
    page = await context.newPage();
  }

  interface Answered {
    status: number;
    json: Record<string, unknown>;
  }
  /** A request as a page of the authority sends it. */
  const ask = (
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answered> =>
    page.evaluate(
      async ([how, where, what, more]) => {
        const response = await fetch(where, {
          method: how,
          headers: { ...(what === null ? {} : { 'content-type': 'application/json' }), ...more },
          body: what,
        });
        return { status: response.status, json: (await response.json()) as Record<string, unknown> };
      },
      [method, path, body === undefined ? null : JSON.stringify(body), headers] as const,
    );
  const logIn = async (email = USER, path = '/auth/login'): Promise<string> => {
    const { status, json } = await ask('POST', path, { email, password: PASSWORD, transport: 'cookie' });
    expect(status).toBe(200);
    return ((json['data'] ?? json) as { csrf_token: string }).csrf_token;
  };
  const jar = async (): Promise<string[]> =>
    (await context.cookies()).map(({ name, domain, path }) => `${name} ${domain}${path}`).sort();

  describe('the API page', () => {
    let site: Site;
    beforeAll(async () => {
      site = await openSite(false);
    });
    afterAll(() => site.close());

    test('opens without an error or an outside request, and an operation can be tried', async () => {
      await fresh();
      const errors: string[] = [];
      const outside: string[] = [];
      page.on('console', (message) => void (message.type() === 'error' && errors.push(message.text())));
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('request', (request) => {
        const url = new URL(request.url());
        if (url.protocol.startsWith('http') && url.origin !== site.origin) outside.push(request.url());
      });
      await page.goto(`${site.origin}/docs`);
      const operations = page.locator('.opblock');
      await operations.first().waitFor();
      expect(await operations.count()).toBeGreaterThan(30);

      // With a body: the example is filled in, and sent as it stands it logs in. One operation alone: each that is opened costs a second.
      const login = page.locator('.opblock', { has: page.locator('[data-path="/v1/login"]') });
      await login.locator('.opblock-summary').click();
      await login.getByRole('button', { name: 'Try it out' }).click();
      await login.getByRole('button', { name: 'Execute' }).click();
      const live = login.locator('.live-responses-table');
      await live.waitFor();
      expect(await live.locator('.response-col_status').last().textContent()).toContain('200');
      expect(await live.textContent()).toContain('access_token');

      expect(errors).toEqual([]);
      expect(outside).toEqual([]);
    });
  });

  describe('the cookie is gone from the jar after a logout', () => {
    const secure = '; Secure; HttpOnly; SameSite=Lax';
    const setups: [string, boolean, Record<string, string>, string, string[]][] = [
      [
        'that was of a host and of paths before it was of a domain',
        true,
        { CURFEW_COOKIE_DOMAIN: 'example.test', CURFEW_COOKIE_ALSO_CLEAR: '/,/auth,example.test/app' },
        '__Secure-curfew_session .example.test/',
        [
          `__Host-curfew_session=old; Path=/${secure}`,
          `curfew_session=old; Path=/${secure}`,
          `__Secure-curfew_session=old; Path=/auth${secure}`,
          `curfew_session=old; Domain=example.test; Path=/app${secure}`,
        ],
      ],
      [
        'with Clear-Site-Data',
        true,
        { CURFEW_CLEAR_SITE_DATA: 'cookies,storage' },
        `__Host-curfew_session ${ID}/`,
        ['other=1; Path=/; Secure'],
      ],
      [
        'of another name and of a domain, without TLS, that was of paths before',
        false,
        {
          CURFEW_COOKIE_NAME: 'shop',
          CURFEW_COOKIE_DOMAIN: 'example.localhost',
          CURFEW_COOKIE_ALSO_CLEAR: '/,/auth',
        },
        'shop .example.localhost/',
        ['shop=old; Path=/; HttpOnly', 'shop=old; Path=/auth; HttpOnly'],
      ],
      ['on loopback', false, {}, 'curfew_session localhost/', []],
      ['of one host', true, {}, `__Host-curfew_session ${ID}/`, []],
      [
        'of a domain',
        true,
        { CURFEW_COOKIE_DOMAIN: 'example.test' },
        '__Secure-curfew_session .example.test/',
        [],
      ],
      [
        'that was of a domain before it was of the host',
        true,
        { CURFEW_COOKIE_ALSO_CLEAR: 'example.test' },
        `__Host-curfew_session ${ID}/`,
        [
          `__Secure-curfew_session=old; Domain=example.test; Path=/${secure}`,
          `curfew_session=old; Domain=example.test; Path=/${secure}`,
        ],
      ],
    ];
    let site: Site;
    afterEach(() => site?.close());

    /** Opens a page of the host with only leftovers of earlier settings in the jar. */
    async function withLeftovers(leftovers: string[]): Promise<void> {
      await context.clearCookies();
      const query = new URLSearchParams(leftovers.map((one): [string, string] => ['cookie', one]));
      await page.goto(`${site.origin}/test?${query.toString()}`);
      expect(await jar()).toHaveLength(leftovers.length);
    }
    /** The jar after a login, which removes leftovers: one of the cookie's own name would be a second cookie. */
    const loggedIn = async (
      [, , settings, cookie]: (typeof setups)[number],
      left: string[],
      way: string,
    ): Promise<void> =>
      expect
        .poll(jar, { message: way })
        .toEqual([cookie, ...(settings['CURFEW_COOKIE_ALSO_CLEAR'] ? [] : left)].sort());

    /** The address to which a visitor without a session is redirected. */
    const landsAt = (path: string): Promise<string> =>
      page.evaluate(async (to) => new URL((await fetch(to)).url).pathname, path);
    const enter = async (): Promise<void> => {
      await page.goto(`${site.origin}/login`);
      await page.getByLabel('E-mail address').fill(USER);
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.waitForURL(`${site.origin}/devices`);
    };

    // The buttons below send the second and the third.
    const ways = [
      ['/auth/login', '/auth/logout', undefined, { message: 'Logout successful' }],
      ['/v1/login', '/v1/logout', { scope: 'this' }, expect.objectContaining({ ended: 1 })],
      ['/v1/login', '/v1/logout', { scope: 'all' }, expect.objectContaining({ ended: 1 })],
    ] as const;

    test.each(variants(setups))('%s', { tags: 'long' }, async (...setup) => {
      const [, tls, settings, , leftovers] = setup;
      site = await openSite(tls, settings);
      const cleared = settings['CURFEW_CLEAR_SITE_DATA'] !== undefined;
      await fresh();
      for (const [login, logout, body, answer] of ways.slice(0, budget('VARIANTS') - 1)) {
        const way = `${logout} ${body?.scope ?? ''}`;
        await withLeftovers(leftovers);
        const left = await jar();
        const csrf = await logIn(USER, login);
        await loggedIn(setup, left, way);
        await page.evaluate(() => localStorage.setItem('left', 'here'));
        // No script can read it.
        expect(await page.evaluate('document.cookie')).not.toContain('curfew_session');
        expect((await ask('GET', '/auth/profile')).status).toBe(200);
        const out = await ask('POST', logout, body, { 'x-csrf-token': csrf });
        expect(out).toEqual({ status: 200, json: answer });
        await expect.poll(jar, { message: way }).toEqual([]);
        expect((await ask('GET', '/auth/profile')).status).toBe(401);
        await expect
          .poll(() => page.evaluate(() => localStorage.getItem('left')), { message: way })
          .toBe(cleared ? null : 'here');
      }

      // By the forms of the pages, which a browser without a script sends.
      await fresh({ javaScriptEnabled: false });
      await withLeftovers(leftovers);
      const left = await jar();
      await enter();
      await loggedIn(setup, left, 'the form');
      await page.goto(`${site.origin}/logout`);
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.waitForURL(/\/login\?reason=you/);
      await expect.poll(jar).toEqual([]);
      expect(await landsAt('/devices')).toBe('/login');
    });

    // The requests of the pages' buttons were tested above for each setting; here, that the buttons send them, and what the page
    // does then.
    const [first, second] = setups as [(typeof setups)[number], (typeof setups)[number]];
    const buttons = [
      { button: 'Log out', setup: first },
      { button: 'Log out everywhere', setup: second },
      { button: 'Log out', setup: second },
      { button: 'Log out everywhere', setup: first },
    ];
    test.each(variants(buttons))(
      'by the button "$button", $setup.0',
      { tags: 'long' },
      async ({ button, setup }) => {
        const [, tls, settings, , leftovers] = setup;
        site = await openSite(tls, settings);
        await fresh();
        await withLeftovers(leftovers);
        const left = await jar();
        await enter();
        await loggedIn(setup, left, button);
        const where = button === 'Log out' ? page.getByRole('navigation') : page;
        await where.getByRole('button', { name: button }).click();
        if (button !== 'Log out')
          await page.getByRole('dialog').getByRole('button', { name: button }).click();
        await page.getByText('Logged out everywhere in').waitFor();
        await expect.poll(jar, { message: button }).toEqual([]);
        expect(await landsAt('/devices'), button).toBe('/login');
      },
    );
  });

  describe('a page of another site', () => {
    let site: Site;
    beforeAll(async () => {
      site = await openSite(true, { CURFEW_COOKIE_DOMAIN: 'example.test' });
    });
    afterAll(() => site.close());

    /** Sends a form from a page of the host, as a click there would. @returns the status of the answer */
    async function submit(
      host: string,
      path: string,
      fields: Record<string, string>,
      type: string,
    ): Promise<number> {
      await page.goto(`https://${host}:${site.port}/test`);
      const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
      const inputs = Object.entries(fields).map(
        ([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`,
      );
      // Written into the page as it is: the form is the other site's own.
      await page.setContent(
        `<form method="post" action="${site.origin}${path}" enctype="${type}">${inputs.join('')}<button>Win</button></form>`,
      );
      const answered = page.waitForNavigation();
      await page.getByRole('button').click();
      const response = await answered;
      expect(response?.url()).toBe(site.origin + path);
      return response?.status() ?? 0;
    }
    const home = (): Promise<unknown> => page.goto(`${site.origin}/test`);
    const FORM = 'application/x-www-form-urlencoded';
    const logouts = [
      [FORM, '/auth/logout'],
      ['text/plain', '/v1/logout'],
      ['multipart/form-data', '/auth/logout?scope=all'],
      ['multipart/form-data', '/v1/logout'],
      ['multipart/form-data', '/auth/logout'],
      [FORM, '/v1/logout'],
      [FORM, '/auth/logout?scope=all'],
      ['text/plain', '/auth/logout'],
      ['text/plain', '/auth/logout?scope=all'],
    ] as const;
    const logins = [
      ['text/plain', '/auth/login'],
      [FORM, '/v1/login'],
      ['text/plain', '/v1/login'],
      [FORM, '/auth/login'],
    ] as const;

    // evil.test is another site: the cookie does not even come along. app.example.test is the same site: it does.
    test.each([
      ['evil.test', 401],
      ['app.example.test', 403],
    ])('cannot log in or log out: %s', { tags: 'long' }, async (host, expected) => {
      await fresh();
      // A form can be made to send JSON, but not to call it so.
      const body = JSON.stringify({ email: ADMIN, password: PASSWORD, transport: 'cookie', ignore: '' });
      const [name = '', rest = ''] = body.split('"ignore":"');
      for (const [type, path] of variants(logins)) {
        const fields =
          type === FORM
            ? { email: ADMIN, password: PASSWORD, transport: 'cookie' }
            : { [`${name}"ignore":"`]: rest };
        expect(await submit(host, path, fields, type)).toBeGreaterThanOrEqual(400);
      }
      await page.goto(`https://${host}:${site.port}/test`);
      const login = await page.evaluate(
        ([url, json]) =>
          fetch(url, {
            method: 'POST',
            credentials: 'include',
            headers: { 'content-type': 'application/json' },
            body: json,
          }).then(
            (response) => String(response.status),
            () => 'blocked',
          ),
        [`${site.origin}/auth/login`, body] as const,
      );
      expect(login).toBe('blocked');
      expect(await jar()).toEqual([]);

      await home();
      const csrf = await logIn();
      for (const [type, path] of variants(logouts))
        expect([type, path, await submit(host, path, { 'x-csrf-token': csrf }, type)]).toEqual([
          type,
          path,
          expected,
        ]);
      await page.goto(`https://${host}:${site.port}/test`);
      // With a script, as far as the browser lets it: the answer cannot be read, and nothing has happened.
      const script = await page.evaluate(
        async ([url, token]) => {
          const tries: RequestInit[] = [
            { method: 'POST', mode: 'no-cors', credentials: 'include' },
            { method: 'POST', mode: 'cors', credentials: 'include', headers: { 'x-csrf-token': token } },
          ];
          const ends = [];
          for (const one of tries)
            ends.push(
              await fetch(url, one).then(
                (response) => response.type,
                () => 'blocked',
              ),
            );
          return ends;
        },
        [`${site.origin}/auth/logout`, csrf] as const,
      );
      expect(script).toEqual([expect.stringMatching(/^(opaque|blocked)$/), 'blocked']);
      await home();
      expect((await ask('GET', '/auth/profile')).status).toBe(200);
      expect((await ask('POST', '/auth/logout', undefined, { 'x-csrf-token': csrf })).status).toBe(200);
    });
  });
});
