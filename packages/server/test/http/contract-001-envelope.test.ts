import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Caller,
  openAuthority,
  PASSWORD,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { ADMIN, alive, cookieLogin, opened, USER, v1Login } from './logins.ts';

const PROFILE = { id: 2, email: USER, name: 'Demo User', role: 'user', workspace: 'main' };
const LOGGED_OUT = '{"success":true,"message":"Logout successful","data":null,"code":null,"field":null}';
const REFUSED_401 =
  '{"success":false,"message":"Not authenticated","data":null,"code":"NOT_AUTHENTICATED","field":null}';

const CREDENTIALS = { email: USER, password: PASSWORD };

describe('contract 001, envelope', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), {
      CURFEW_CLIENTS: '{"envelope":{"accessTokenSeconds":120}}',
      CURFEW_REFRESH_GRACE_SECONDS: '0',
    });
    call = described(on.call);
  });
  afterAll(() => on.close());

  const login = async (): Promise<{ bearer: string; refresh: string }> => {
    const { json } = await call('POST', '/auth/login', { body: CREDENTIALS });
    return { bearer: json.data.access_token, refresh: json.data.refresh_token };
  };

  test('login answers access token, refresh token and user', async () => {
    const { status, headers, json } = await call('POST', '/auth/login', { body: CREDENTIALS });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.getSetCookie()).toEqual([]);
    expect(json).toEqual({
      success: true,
      message: 'Login successful',
      data: {
        access_token: expect.stringMatching(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/),
        refresh_token: expect.stringMatching(/^rt_[\w-]{43}$/),
        token_type: 'Bearer',
        expires_in: 120,
        user: PROFILE,
      },
      code: null,
      field: null,
    });
    expect(Object.keys(json)).toEqual(['success', 'message', 'data', 'code', 'field']);
    expect(Object.keys(json.data)).toEqual([
      'access_token',
      'refresh_token',
      'token_type',
      'expires_in',
      'user',
    ]);
  });

  test('login accepts the address in any case', async () => {
    const { status } = await call('POST', '/auth/login', {
      body: { ...CREDENTIALS, email: 'Test@Example.COM' },
    });
    expect(status).toBe(200);
  });

  const badLogins: [string, unknown, string | null][] = [
    ['no email', { password: PASSWORD }, 'email'],
    ['no password', { email: USER }, 'password'],
    ['neither', {}, 'email'],
    ['an empty email', { email: '', password: PASSWORD }, 'email'],
    ['an email that is none', { email: 'test', password: PASSWORD }, 'email'],
    ['an email with a NUL', { email: 'te\0st@example.com', password: PASSWORD }, 'email'],
    ['an email that is too long', { email: `${'a'.repeat(250)}@b.cc`, password: PASSWORD }, 'email'],
    ['a number for the email', { email: 7, password: PASSWORD }, 'email'],
    ['null for the email', { email: null, password: PASSWORD }, 'email'],
    ['an empty password', { email: USER, password: '' }, 'password'],
    ['a password of more than 1024 characters', { email: USER, password: 'x'.repeat(1025) }, 'password'],
    ['an object for the password', { email: USER, password: {} }, 'password'],
    ['an unknown transport', { ...CREDENTIALS, transport: 'pigeon' }, 'transport'],
    ['no JSON', '{"email":', null],
    ['an array', '[]', null],
    ['a text', '"test@example.com"', null],
    ['null', 'null', null],
    ['nothing', '', null],
  ];
  test.each(badLogins)('login with %s: 400 with the field', async (_name, body, field) => {
    const { status, json } = await call('POST', '/auth/login', { body });
    expect(status).toBe(400);
    expect(json).toEqual({
      success: false,
      message: expect.any(String),
      data: null,
      code: 'VALIDATION_ERROR',
      field,
    });
  });

  test('login with another media type: 400', async () => {
    const { status, json } = await call('POST', '/auth/login', {
      body: JSON.stringify(CREDENTIALS),
      headers: { 'content-type': 'text/plain' },
    });
    expect([status, json.code, json.field]).toEqual([400, 'VALIDATION_ERROR', null]);
  });

  test('login with a wrong password and with an unknown address answer the same bytes', async () => {
    const wrong = await call('POST', '/auth/login', { body: { ...CREDENTIALS, password: 'not it' } });
    const unknown = await call('POST', '/auth/login', {
      body: { email: 'nobody@example.com', password: PASSWORD },
    });
    expect(wrong.status).toBe(401);
    expect(unknown.status).toBe(401);
    expect(wrong.text).toBe(
      '{"success":false,"message":"Invalid email or password","data":null,"code":"INVALID_CREDENTIALS","field":null}',
    );
    expect(unknown.text).toBe(wrong.text);
  });

  test('a body of more than 64 KB: 413 in the envelope', async () => {
    const { status, json } = await call('POST', '/auth/login', {
      body: { ...CREDENTIALS, more: 'x'.repeat(70_000) },
    });
    expect([status, Object.keys(json), json.code]).toEqual([
      413,
      ['success', 'message', 'data', 'code', 'field'],
      'TOO_LARGE',
    ]);
  });

  test('refresh answers the same data, and a spent token ends its session', async () => {
    const first = await login();
    const bystander = await login();
    const { status, json } = await call('POST', '/auth/refresh', { body: { refresh_token: first.refresh } });
    expect(status).toBe(200);
    expect(Object.keys(json)).toEqual(['success', 'message', 'data', 'code', 'field']);
    expect(json).toMatchObject({ success: true, code: null, field: null });
    expect(json.data).toEqual({
      access_token: expect.stringMatching(/^eyJ/),
      refresh_token: expect.stringMatching(/^rt_/),
      token_type: 'Bearer',
      expires_in: 120,
      user: PROFILE,
    });
    const second = { bearer: json.data.access_token as string };
    expect(json.data.refresh_token).not.toBe(first.refresh);
    expect(await alive(call, [first, second])).toEqual([true, true]);

    // The grace is 0 here, but an age of 0 ms is within it.
    await new Promise((resolve) => setTimeout(resolve, 15));
    const again = await call('POST', '/auth/refresh', { body: { refresh_token: first.refresh } });
    expect(again.status).toBe(401);
    expect(again.text).toBe(
      '{"success":false,"message":"Invalid refresh token","data":null,"code":"INVALID_REFRESH_TOKEN","field":null}',
    );
    expect(await alive(call, [first, second, bystander])).toEqual([false, false, true]);
    const successor = await call('POST', '/auth/refresh', {
      body: { refresh_token: json.data.refresh_token },
    });
    expect(successor.status).toBe(401);
    const events = await call('GET', '/v1/admin/events?reason=refresh_replay', { bearer: SERVICE_KEY });
    expect(events.json.events[0]).toMatchObject({ reason: 'refresh_replay', user_ids: [2], actor: 'system' });
  });

  test.each([
    ['without the token', {}],
    ['with an empty token', { refresh_token: '' }],
    ['with a number', { refresh_token: 5 }],
    ['with a token of more than 2048 characters', { refresh_token: 'r'.repeat(2049) }],
  ])('refresh %s: 400 with the field', async (_name, body) => {
    const { status, json } = await call('POST', '/auth/refresh', { body });
    expect([status, json.code, json.field, json.data, json.success]).toEqual([
      400,
      'VALIDATION_ERROR',
      'refresh_token',
      null,
      false,
    ]);
  });

  test('refresh with another kind of credential is refused', async () => {
    const { bearer, refresh } = await login();
    const secret = refresh.slice(3);
    for (const text of [
      bearer,
      secret,
      `cs_${secret}`,
      `sess_${secret}`,
      `RT_${secret}`,
      `${refresh} `,
      ` ${refresh}`,
      'rt_',
    ]) {
      const { status } = await call('POST', '/auth/refresh', { body: { refresh_token: text } });
      expect([text, status]).toEqual([text, 401]);
    }
    expect(await alive(call, [{ bearer }])).toEqual([true]);
  });

  test('profile and workspace answer the user’s data', async () => {
    const { bearer } = await login();
    const profile = await call('GET', '/auth/profile', { bearer });
    expect(profile.status).toBe(200);
    expect(profile.text).toBe(
      JSON.stringify({ success: true, message: 'Profile retrieved', data: PROFILE, code: null, field: null }),
    );
    const workspace = await call('GET', '/auth/workspace', { bearer });
    expect(workspace.text).toBe(
      JSON.stringify({
        success: true,
        message: 'Workspace retrieved',
        data: { user_id: 2, workspace: 'main' },
        code: null,
        field: null,
      }),
    );
    expect((await call('POST', '/auth/logout', { bearer })).status).toBe(200);
    for (const path of ['/auth/profile', '/auth/workspace']) {
      const dead = await call('GET', path, { bearer });
      expect([path, dead.status, dead.text]).toEqual([path, 401, REFUSED_401]);
    }
  });

  test('logout ends every session of the user and no other', async () => {
    const sessions = [await login(), await login(), await v1Login(call), await opened(call, 2)];
    const cookie = await cookieLogin(call);
    const bystander = await v1Login(call, ADMIN);
    const { status, text, headers } = await call('POST', '/auth/logout', {
      bearer: sessions[0]?.bearer ?? '',
    });
    expect(status).toBe(200);
    expect(text).toBe(LOGGED_OUT);
    expect(headers.get('curfew-propagation')).toMatch(
      /^confirmed=\?1, ms=\d+(\.\d+)?, acknowledged=0, waited-out=0$/,
    );
    expect(headers.getSetCookie()).toEqual([]);
    expect(await alive(call, sessions)).toEqual([false, false, false, false]);
    expect((await call('GET', '/auth/profile', { cookie: cookie.cookie })).status).toBe(401);
    expect(await alive(call, [bystander])).toEqual([true]);
    for (const { refresh } of sessions)
      expect((await call('POST', '/auth/refresh', { body: { refresh_token: refresh } })).status).toBe(401);
    const listed = await call('GET', '/v1/admin/sessions?user_id=2', { bearer: SERVICE_KEY });
    expect(listed.json.sessions).toEqual([]);
    const again = await call('POST', '/auth/logout', { bearer: sessions[0]?.bearer ?? '' });
    expect([again.status, again.text]).toEqual([401, REFUSED_401]);
  });

  test('logout needs no body and ignores one', async () => {
    for (const body of [undefined, '', 'not json', { scope: 'this' }]) {
      const { bearer } = await login();
      const { status, text } = await call('POST', '/auth/logout', {
        bearer,
        ...(body === undefined ? {} : { body }),
      });
      expect([status, text]).toEqual([200, LOGGED_OUT]);
    }
  });

  test('without a valid token: 401, and nothing changes', async () => {
    const session = await login();
    const none = await call('POST', '/auth/logout');
    expect(none.status).toBe(401);
    expect(none.text).toBe(
      '{"success":false,"message":"Not authenticated","data":null,"code":"NOT_AUTHENTICATED","field":null,"detail":{"error_code":"NOT_AUTHENTICATED","message":"Not authenticated"}}',
    );
    for (const authorization of [
      '',
      'Bearer',
      'Bearer nonsense',
      'Basic dGVzdDp0ZXN0',
      'Bearer eyJhb.x.y',
      'Bearer a b',
    ]) {
      const answer = await call('POST', '/auth/logout', { headers: { authorization } });
      expect([authorization, answer.status, answer.text]).toEqual([authorization, 401, REFUSED_401]);
    }
    expect(await alive(call, [session])).toEqual([true]);
  });

  test('the scheme of the header may be in any case', async () => {
    const { bearer } = await login();
    for (const scheme of ['bearer', 'BEARER', 'Bearer'])
      expect(
        (await call('GET', '/auth/profile', { headers: { authorization: `${scheme} ${bearer}` } })).status,
      ).toBe(200);
  });

  describe('the shared path', () => {
    test('with both credentials the header alone decides', async () => {
      const header = await login();
      const { cookie } = await cookieLogin(call, ADMIN);
      // A dead header and a live cookie: the envelope's 401, and the cookie's session lives.
      const dead = await call('POST', '/auth/logout', { bearer: 'eyJ.no.no', cookie });
      expect([dead.status, dead.text]).toEqual([401, REFUSED_401]);
      // A live header and a live cookie, without any CSRF token: the envelope's logout of the header's user.
      const both = await call('POST', '/auth/logout?scope=this', { bearer: header.bearer, cookie });
      expect([both.status, both.text]).toEqual([200, LOGGED_OUT]);
      expect(both.headers.getSetCookie()).toEqual([]);
      expect((await call('GET', '/auth/profile', { cookie })).status).toBe(200);
    });

    test('with a dead cookie only: the detail of contract 004', async () => {
      const { status, text } = await call('POST', '/auth/logout', { cookie: 'cs_nothing' });
      expect([status, text]).toEqual([
        401,
        '{"detail":{"error_code":"NOT_AUTHENTICATED","message":"Not authenticated"}}',
      ]);
    });
  });
});
