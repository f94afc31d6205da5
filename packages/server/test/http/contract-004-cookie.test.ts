import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Caller,
  ISSUER,
  openAuthority,
  PASSWORD,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { ADMIN, alive, cookieLogin, USER, v1Login } from './logins.ts';

const DONE = '{"message":"Logout successful"}';
const NOBODY = '{"detail":{"error_code":"NOT_AUTHENTICATED","message":"Not authenticated"}}';
const CSRF =
  '{"detail":{"error_code":"CSRF_FAILED","message":"The request must come from a trusted origin and carry X-CSRF-Token"}}';
const DELETED =
  'curfew_session=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; SameSite=Lax';
const LOGIN = { email: USER, password: PASSWORD, transport: 'cookie' };

describe('contract 004, cookie', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), { CURFEW_TRUSTED_ORIGINS: 'https://app.example.net' });
    call = described(on.call);
  });
  afterAll(() => on.close());

  const profile = async (cookie: string): Promise<number> =>
    (await call('GET', '/auth/profile', { cookie })).status;

  test('login sets the cookie and answers the CSRF token, without tokens', async () => {
    const { status, headers, json, text } = await call('POST', '/auth/login', { body: LOGIN });
    expect(status).toBe(200);
    expect(json).toEqual({
      success: true,
      message: 'Login successful',
      data: {
        user: { id: 2, email: USER, name: 'Demo User', role: 'user', workspace: 'main' },
        csrf_token: expect.stringMatching(/^[\w-]{43}$/),
      },
      code: null,
      field: null,
    });
    const [set = '', ...others] = headers.getSetCookie();
    expect(others).toEqual([]);
    expect(set).toMatch(/^curfew_session=cs_[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
    expect(text).not.toContain(/cs_[\w-]{43}/.exec(set)?.[0]);
  });

  test('the session answers the CSRF token again, only to the cookie', async () => {
    const { cookie, csrf } = await cookieLogin(call);
    const { json } = await call('GET', '/v1/session', { cookie });
    expect(json.csrf_token).toBe(csrf);
    expect((await call('GET', '/v1/session', { bearer: (await v1Login(call)).bearer })).json.csrf_token).toBe(
      undefined,
    );
  });

  test('the profile accepts the cookie', async () => {
    const { cookie } = await cookieLogin(call);
    expect(await profile(cookie)).toBe(200);
    expect(await profile(`${cookie}A`)).toBe(401);
    const { status, text } = await call('GET', '/auth/profile', { cookie: 'cs_x' });
    expect([status, text]).toEqual([401, NOBODY]);
  });

  test('the cookie is no bearer token, and other tokens are no cookies', async () => {
    const { cookie } = await cookieLogin(call);
    const { bearer, refresh } = await v1Login(call);
    expect((await call('GET', '/v1/session', { bearer: cookie })).status).toBe(401);
    for (const text of [bearer, refresh]) expect(await profile(text)).toBe(401);
  });

  test('logout ends this session and deletes the cookie', async () => {
    const [mine, other] = [await cookieLogin(call), await cookieLogin(call)];
    const { status, text, headers } = await call('POST', '/auth/logout', mine);
    expect([status, text]).toEqual([200, DONE]);
    expect(headers.getSetCookie()).toEqual([DELETED]);
    expect(headers.get('curfew-propagation')).toMatch(
      /^confirmed=\?1, ms=[\d.]+, acknowledged=0, waited-out=0$/,
    );
    expect(headers.get('clear-site-data')).toBe(null);
    expect([await profile(mine.cookie), await profile(other.cookie)]).toEqual([401, 200]);
    const again = await call('POST', '/auth/logout', mine);
    expect([again.status, again.text]).toEqual([401, NOBODY]);
  });

  test.each([
    ['?scope=this', [false, true, true], true],
    ['?scope=all', [false, false, true], true],
    ['?scope=others', [true, false, true], false],
  ])('logout%s', async (query, expected, deletes) => {
    const [mine, second] = [await cookieLogin(call), await v1Login(call)];
    const stranger = await v1Login(call, ADMIN);
    const { status, text, headers } = await call('POST', `/auth/logout${query}`, mine);
    expect([status, text]).toEqual([200, DONE]);
    expect(headers.getSetCookie()).toEqual(deletes ? [DELETED] : []);
    expect([(await profile(mine.cookie)) === 200, ...(await alive(call, [second, stranger]))]).toEqual(
      expected,
    );
  });

  test.each([
    '?scope=everyone',
    '?scope=',
    '?scope=ALL',
    '?scope=all&scope=this',
    '?scope=this&scope=this',
    '?scope=%20all',
  ])('logout%s: 400, and nothing changes', async (query) => {
    const [mine, second] = [await cookieLogin(call), await v1Login(call)];
    const { status, text, headers } = await call('POST', `/auth/logout${query}`, mine);
    expect([status, text]).toEqual([
      400,
      '{"detail":{"error_code":"INVALID_SCOPE","message":"scope must be this, all or others"}}',
    ]);
    expect(headers.getSetCookie()).toEqual([]);
    expect([await profile(mine.cookie), ...(await alive(call, [second]))]).toEqual([200, true]);
  });

  test('without a session: 401, before CSRF and scope are checked', async () => {
    for (const path of ['/auth/logout', '/auth/logout?scope=nonsense']) {
      const { status, text } = await call('POST', path, { cookie: `cs_${'A'.repeat(43)}` });
      expect([status, text]).toEqual([401, NOBODY]);
    }
  });

  test('two cookies of the name are refused, in one header or two, even with the same value', async () => {
    const { cookie, csrf } = await cookieLogin(call);
    const planted = await cookieLogin(call, ADMIN);
    const pair = (a: string, b: string): string => `curfew_session=${a}; theme=dark; curfew_session=${b}`;
    for (const header of [
      pair(cookie, planted.cookie),
      pair(planted.cookie, cookie),
      pair(cookie, cookie),
      pair(cookie, ''),
    ]) {
      const headers = { cookie: header, origin: ISSUER, 'x-csrf-token': csrf };
      for (const [method, path] of [
        ['GET', '/auth/profile'],
        ['POST', '/auth/logout'],
      ] as const) {
        const { status, text } = await call(method, path, { headers });
        expect([status, text]).toEqual([401, NOBODY]);
      }
      expect((await call('GET', '/v1/check', { headers })).status).toBe(401);
    }
    expect([await profile(cookie), await profile(planted.cookie)]).toEqual([200, 200]);
  });

  test('cookies of other names are ignored', async () => {
    const { cookie } = await cookieLogin(call);
    const header = `a=b; xcurfew_session=cs_no; curfew_session2=cs_no; curfew_session=${cookie};c=d`;
    expect((await call('GET', '/auth/profile', { headers: { cookie: header } })).status).toBe(200);
  });

  describe('CSRF', () => {
    const FOREIGN = [
      'https://evil.test',
      'null',
      'http://localhost:8000.evil.test',
      'http://evil.localhost:8000',
      'http://localhost',
      'http://localhost:8001',
      'https://localhost:8000',
      'http://localhost:8000/',
      'HTTP://LOCALHOST:8000',
      'http://user@localhost:8000',
      'https://app.example.net.evil.test',
      'https://evil-app.example.net',
      'https://app.example.net:444',
      'http://app.example.net',
      '',
    ];
    const OWN = [ISSUER, 'http://127.0.0.1:8000', 'https://app.example.net'];
    const SITES = ['same-origin', 'same-site', 'cross-site', 'none', 'nonsense', undefined];
    /** By the words of the contract: a trusted origin (`Sec-Fetch-Site`, else `Origin`). */
    const trusted = (site: string | undefined, origin: string | undefined): boolean =>
      (origin !== undefined && OWN.includes(origin)) ||
      site === 'same-origin' ||
      (site === 'none' && origin === undefined);

    const cases = SITES.flatMap((site) =>
      [...OWN, ...FOREIGN, undefined].map((origin) => [site, origin] as const),
    );
    const headersOf = (site: string | undefined, origin: string | undefined): Record<string, string> => ({
      ...(site === undefined ? {} : { 'sec-fetch-site': site }),
      ...(origin === undefined ? {} : { origin }),
    });

    test(`every Sec-Fetch-Site with every Origin and every token (${cases.length * 4})`, async () => {
      let session = await cookieLogin(call);
      const another = await cookieLogin(call);
      const wrong = { absent: undefined, empty: '', another: another.csrf };
      for (const [site, origin] of cases) {
        const headers = headersOf(site, origin);
        const where = JSON.stringify(headers);
        for (const [name, token] of Object.entries(wrong)) {
          const withToken = token === undefined ? headers : { ...headers, 'x-csrf-token': token };
          const { status, text } = await call('POST', '/auth/logout', {
            cookie: session.cookie,
            headers: withToken,
          });
          expect([where, name, status, text]).toEqual([where, name, 403, CSRF]);
        }
        const { status, text } = await call('POST', '/auth/logout', {
          cookie: session.cookie,
          headers: { ...headers, 'x-csrf-token': session.csrf },
        });
        const passes = trusted(site, origin);
        expect([where, status, text]).toEqual([where, ...(passes ? [200, DONE] : [403, CSRF])]);
        expect([where, await profile(session.cookie)]).toEqual([where, passes ? 401 : 200]);
        if (passes) session = await cookieLogin(call);
      }
      expect(await profile(another.cookie)).toBe(200);
    });

    test.each([
      ['POST', '/v1/logout'],
      ['DELETE', '/v1/sessions/019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60'],
      ['POST', '/v1/password'],
      ['POST', '/v1/admin/logout'],
      ['POST', '/v1/admin/users'],
      ['PATCH', '/v1/admin/users/2'],
      ['DELETE', '/v1/admin/users/2'],
      ['POST', '/v1/admin/users/2/password'],
      ['POST', '/v1/admin/keys/rotate'],
    ])('%s %s requires it too', async (method, path) => {
      const { cookie, csrf } = await cookieLogin(call, ADMIN);
      const attempts = [
        {},
        { origin: ISSUER },
        { 'x-csrf-token': csrf },
        { 'x-csrf-token': csrf, origin: 'https://evil.test' },
        { 'x-csrf-token': `${csrf}x`, origin: ISSUER },
      ];
      for (const headers of attempts as Record<string, string>[]) {
        const { status, json } = await call(method, path, {
          cookie,
          headers,
          ...(method === 'DELETE' ? {} : { body: {} }),
        });
        expect([headers, status, json.code]).toEqual([headers, 403, 'csrf_failed']);
      }
      expect(await profile(cookie)).toBe(200);
    });

    test('a header credential needs no CSRF token', async () => {
      const { bearer } = await v1Login(call);
      const headers = { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' };
      expect((await call('POST', '/v1/logout', { bearer, headers })).status).toBe(200);
    });

    test('a cookie login from another site is refused, and sets no cookie', async () => {
      for (const [site, origin] of cases) {
        // A program sends neither header and has no page.
        if (trusted(site, origin) || (site === undefined && origin === undefined)) continue;
        // No password is hashed for these, so there may be many.
        for (const path of ['/auth/login', '/v1/login']) {
          const { status, headers } = await call('POST', path, {
            body: LOGIN,
            headers: headersOf(site, origin),
          });
          expect([site, origin, path, status, headers.getSetCookie()]).toEqual([site, origin, path, 403, []]);
        }
      }
      const foreign = await call('POST', '/auth/login', {
        body: LOGIN,
        headers: { origin: 'https://evil.test' },
      });
      const { json } = await call('GET', '/v1/admin/events?type=csrf_refused&actor=anonymous&limit=1', {
        bearer: SERVICE_KEY,
      });
      expect(json.events[0]).toMatchObject({ user_id: null, details: { code: 'csrf_failed' } });
      expect(foreign.json).toEqual({
        detail: { error_code: 'CSRF_FAILED', message: 'The request does not come from a trusted origin' },
      });
      for (const origin of OWN)
        expect((await call('POST', '/auth/login', { body: LOGIN, headers: { origin } })).status).toBe(200);
    });

    test('a form body is refused where JSON is expected', async () => {
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
      ]) {
        const { status, headers } = await call('POST', '/auth/login', {
          body: JSON.stringify(LOGIN),
          headers: { 'content-type': type, origin: ISSUER },
        });
        expect([type, status, headers.getSetCookie()]).toEqual([type, 400, []]);
      }
    });
  });

  describe('fixation', () => {
    test('a login with a planted cookie opens a new session and ends the old one', async () => {
      const planted = await cookieLogin(call, ADMIN);
      const victim = await cookieLogin(call, USER, { cookie: `curfew_session=${planted.cookie}` });
      expect(victim.cookie).not.toBe(planted.cookie);
      expect(victim.csrf).not.toBe(planted.csrf);
      expect([await profile(planted.cookie), await profile(victim.cookie)]).toEqual([401, 200]);
      const { json } = await call('GET', '/v1/admin/events?reason=replaced_by_login', {
        bearer: SERVICE_KEY,
      });
      expect(json.events[0]).toMatchObject({ scope: 'sessions', user_ids: [1] });
      // A token planted before the login is worth nothing after it.
      const stale = await call('POST', '/auth/logout', { cookie: victim.cookie, csrf: planted.csrf });
      expect(stale.status).toBe(403);
    });

    test('a login never adopts an identifier, through /v1 either', async () => {
      const made = `cs_${'A'.repeat(43)}`;
      for (const path of ['/auth/login', '/v1/login']) {
        const { status, headers } = await call('POST', path, { body: LOGIN, cookie: made });
        expect(status).toBe(200);
        expect(headers.getSetCookie().join()).not.toContain(made);
      }
      expect(await profile(made)).toBe(401);
    });

    test('a failed login leaves the earlier session alone', async () => {
      const { cookie } = await cookieLogin(call);
      const { status } = await call('POST', '/auth/login', { body: { ...LOGIN, password: 'no' }, cookie });
      expect([status, await profile(cookie)]).toEqual([401, 200]);
    });
  });

  test('through /v1 the cookie is deleted exactly when this session ends', async () => {
    const logOut = async (body: object | undefined): Promise<string[]> => {
      const { cookie, csrf } = await cookieLogin(call);
      const answer = await call('POST', '/v1/logout', { cookie, csrf, ...(body ? { body } : {}) });
      expect(answer.status).toBe(200);
      const gone = (await profile(cookie)) === 401;
      expect(answer.headers.getSetCookie()).toEqual(gone ? [DELETED] : []);
      return answer.headers.getSetCookie();
    };
    expect(await logOut(undefined)).toEqual([DELETED]);
    expect(await logOut({ scope: 'all' })).toEqual([DELETED]);
    expect(await logOut({ scope: 'device' })).toEqual([DELETED]);
    expect(await logOut({ scope: 'others' })).toEqual([]);
    expect(await logOut({ scope: 'device', device: 'another' })).toEqual([]);
    const { cookie, csrf } = await cookieLogin(call);
    const { json } = await call('GET', '/v1/session', { cookie });
    const ended = await call('DELETE', `/v1/sessions/${json.session.id}`, { cookie, csrf });
    expect([ended.status, ended.headers.getSetCookie()]).toEqual([200, [DELETED]]);
  });
});
