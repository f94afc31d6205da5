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
import { ADMIN, alive, cookieLogin, sessionTokenLogin, tokenLogin, USER, v1Login } from './logins.ts';

const UNAUTHENTICATED = '{"message":"Unauthenticated."}';
const CREDENTIALS = { email: USER, password: PASSWORD };
const TOKENS = {
  access_token: expect.stringMatching(/^[1-9]\d*\|[\w-]{43}$/),
  refresh_token: expect.stringMatching(/^rt_[\w-]{43}$/),
  token_type: 'Bearer',
  expires_in: 3600,
};

describe('contract 003, token', () => {
  let on: TestAuthority;
  let call: Caller;
  let ahead = 0;
  beforeAll(async () => {
    on = await openAuthority(
      routeBackend(),
      { CURFEW_LOGIN_FAILURES_PAIR: '3' },
      { system: { now: () => new Date(Date.now() + ahead) } },
    );
    call = described(on.call);
  });
  afterAll(() => on.close());

  const status = async (bearer: string): Promise<number> =>
    (await call('GET', '/api/v1/auth/status', { bearer })).status;

  test('login answers both tokens', async () => {
    const { status: code, json, headers } = await call('POST', '/api/v1/auth/login', { body: CREDENTIALS });
    expect([code, json]).toEqual([200, TOKENS]);
    expect(Object.keys(json)).toEqual(['access_token', 'refresh_token', 'token_type', 'expires_in']);
    expect(headers.get('content-type')).toBe('application/json');
  });

  test('login with wrong credentials: 401, the same for an unknown address', async () => {
    for (const email of [USER, 'nobody@example.com']) {
      const { status: code, text } = await call('POST', '/api/v1/auth/login', {
        body: { email, password: 'not it' },
        address: '198.51.100.1',
      });
      expect([code, text]).toEqual([401, '{"message":"Invalid credentials."}']);
    }
  });

  test.each([
    ['no email', { password: PASSWORD }, 'email', 'The email field is required.'],
    ['no password', { email: USER }, 'password', 'The password field is required.'],
    [
      'an email that is none',
      { email: 'x', password: 'y' },
      'email',
      'The email field is invalid: must be an e-mail address.',
    ],
    ['no JSON', '{', 'body', 'The body field is invalid: The body is not valid JSON.'],
    ['a list', '[]', 'body', 'The body field is invalid: The body must be a JSON object.'],
  ])('login with %s: 422', async (_name, body, field, message) => {
    const { status: code, json } = await call('POST', '/api/v1/auth/login', { body });
    expect([code, json]).toEqual([422, { message, errors: { [field]: [message] } }]);
    expect(Object.keys(json)).toEqual(['message', 'errors']);
  });

  test.each([
    ['no token', {}, 'The refresh_token field is required.'],
    ['a number', { refresh_token: 1 }, expect.stringMatching(/^The refresh_token field is invalid: .+\.$/)],
  ])('refresh with %s: 422', async (_name, body, message) => {
    const { status: code, json } = await call('POST', '/api/v1/auth/refresh', { body });
    expect([code, json]).toEqual([422, { message, errors: { refresh_token: [message] } }]);
  });

  test('refresh answers the same shape; within the grace the same successor again, later the session ends', async () => {
    const first = await tokenLogin(call);
    const refresh = () => call('POST', '/api/v1/auth/refresh', { body: { refresh_token: first.refresh } });
    const second = await refresh();
    expect([second.status, second.json]).toEqual([200, TOKENS]);
    const again = await refresh();
    expect(again.json.refresh_token).toBe(second.json.refresh_token);
    expect(again.json.access_token).toBe(second.json.access_token);
    expect(await status(second.json.access_token)).toBe(200);
    ahead = 11_000;
    const replay = await refresh();
    expect([replay.status, replay.text]).toEqual([401, UNAUTHENTICATED]);
    expect(await status(second.json.access_token)).toBe(401);
    expect(await status(first.bearer)).toBe(401);
    ahead = 0;
  });

  test('expires_in never reaches beyond the session, in whole seconds that are left, also for a successor given again', async () => {
    let now = Date.parse('2026-11-01T12:00:00Z');
    const brief = await openAuthority(
      routeBackend(),
      { CURFEW_CLIENTS: '{"token":{"idleSeconds":1800,"absoluteSeconds":1800}}' },
      { system: { now: () => new Date(now) } },
    );
    const login = (await brief.call('POST', '/api/v1/auth/login', { body: CREDENTIALS })).json;
    const refresh = async (): Promise<number> =>
      (await brief.call('POST', '/api/v1/auth/refresh', { body: { refresh_token: login.refresh_token } }))
        .json.expires_in;
    const left = [login.expires_in];
    for (const milliseconds of [600_500, 0, 5000]) {
      now += milliseconds;
      left.push(await refresh());
    }
    expect(left).toEqual([1800, 1199, 1199, 1194]);
    await brief.close();
  });

  test('status answers the user', async () => {
    const { bearer } = await tokenLogin(call);
    const { status: code, json } = await call('GET', '/api/v1/auth/status', { bearer });
    expect([code, json]).toEqual([
      200,
      {
        authenticated: true,
        user: { id: 2, email: USER, name: 'Demo User', role: 'user', workspace: 'main' },
      },
    ]);
    expect(Object.keys(json)).toEqual(['authenticated', 'user']);
  });

  test('logout revokes every token and session of the user, on every device', async () => {
    const mine = [await tokenLogin(call), await tokenLogin(call), await v1Login(call)];
    const session = await sessionTokenLogin(call);
    const { cookie } = await cookieLogin(call);
    const bystander = await tokenLogin(call, ADMIN);
    const {
      status: code,
      text,
      headers,
    } = await call('POST', '/api/v1/auth/logout', {
      bearer: mine[0]?.bearer ?? '',
    });
    expect([code, text]).toEqual([200, '{"message":"Successfully logged out"}']);
    expect(headers.get('curfew-propagation')).toMatch(
      /^confirmed=\?1, ms=[\d.]+, acknowledged=0, waited-out=0$/,
    );
    expect(await alive(call, [...mine, { bearer: session }])).toEqual([false, false, false, false]);
    expect((await call('GET', '/v1/session', { cookie })).status).toBe(401);
    for (const { refresh } of mine) {
      const { status: refused } = await call('POST', '/api/v1/auth/refresh', {
        body: { refresh_token: refresh },
      });
      expect(refused).toBe(401);
    }
    expect(await status(bystander.bearer)).toBe(200);
    const again = await call('POST', '/api/v1/auth/logout', { bearer: mine[0]?.bearer ?? '' });
    expect([again.status, again.text]).toEqual([401, UNAUTHENTICATED]);
  });

  describe.each([
    ['GET', '/api/v1/auth/status'],
    ['POST', '/api/v1/auth/logout'],
  ])('%s %s without a live token: 401', (method, path) => {
    const expectRefused = async (headers: Record<string, string>): Promise<void> => {
      const answer = await call(method, path, { headers });
      expect([headers, answer.status, answer.text]).toEqual([headers, 401, UNAUTHENTICATED]);
    };

    test('without a header, or with a malformed one: 401', async () => {
      await expectRefused({});
      const { bearer } = await tokenLogin(call);
      for (const authorization of [
        '',
        'Bearer',
        'Bearer |',
        'Bearer 1|',
        'Bearer |x',
        'Bearer 1|abc123def456...',
        'Basic YTpi',
        bearer,
        `Token ${bearer}`,
        `Bearer ${bearer} x`,
        `Bearer\t${bearer}`,
        `Bearer \t${bearer}`,
        `Bearer: ${bearer}`,
      ])
        await expectRefused({ authorization });
      expect(await status(bearer)).toBe(200);
    });

    test('with the cookie as token: 401', async () => {
      const { cookie } = await cookieLogin(call);
      await expectRefused({ cookie: `curfew_session=${cookie}` });
      await expectRefused({ authorization: `Bearer ${cookie}` });
    });

    test('with another spelling of a live token: 401', async () => {
      const [{ bearer }, other] = [await tokenLogin(call), await tokenLogin(call)];
      expect(await status(bearer)).toBe(200);
      const [id = '', secret = ''] = bearer.split('|');
      const [otherId = ''] = other.bearer.split('|');
      const last = secret.at(-1) ?? '';
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      const twin = secret.slice(0, -1) + alphabet[alphabet.indexOf(last) + 1];
      const spellings = [
        `${otherId}|${secret}`,
        `${Number(id) + 1}|${secret}`,
        `0${id}|${secret}`,
        `+${id}|${secret}`,
        `${id}.0|${secret}`,
        `${id}e0|${secret}`,
        `0x${Number(id).toString(16)}|${secret}`,
        `0|${secret}`,
        `-${id}|${secret}`,
        `${id}|${twin}`,
        `${id}|${secret}=`,
        `${id}||${secret}`,
        `|${secret}`,
        secret,
        `${id}|${secret.toUpperCase()}`,
        `${id}%7C${secret}`,
        `${id}|\t${secret}`,
        `${id}|${secret.slice(0, -1)}`,
        `${id}|${secret}A`,
        `${'9'.repeat(16)}|${secret}`,
        `${'9'.repeat(40)}|${secret}`,
      ];
      for (const text of spellings) await expectRefused({ authorization: `Bearer ${text}` });
      expect(await status(bearer)).toBe(200);
    });

    test('with an expired token: 401', async () => {
      const { bearer, refresh } = await tokenLogin(call);
      expect(await status(bearer)).toBe(200);
      ahead = 3600_000;
      await expectRefused({ authorization: `Bearer ${bearer}` });
      // The session lives on: its refresh token still gives the next one.
      const next = await call('POST', '/api/v1/auth/refresh', { body: { refresh_token: refresh } });
      expect(next.status).toBe(200);
      ahead = 0;
    });

    test('with a refresh token or service key: 401', async () => {
      const { refresh } = await tokenLogin(call);
      await expectRefused({ authorization: `Bearer ${refresh}` });
      await expectRefused({ authorization: `Bearer ${SERVICE_KEY}` });
    });
  });

  test('logout is never rate-limited, whatever the logins did', async () => {
    const address = '198.51.100.77';
    const sessions = [];
    for (let i = 0; i < 5; i++) sessions.push(await v1Login(call));
    for (let i = 0; i < 6; i++)
      await call('POST', '/api/v1/auth/login', { body: { ...CREDENTIALS, password: 'no' }, address });
    const paused = await call('POST', '/api/v1/auth/login', { body: CREDENTIALS, address });
    expect([paused.status, paused.text]).toEqual([429, '{"message":"Too Many Attempts."}']);
    expect(Number(paused.headers.get('retry-after'))).toBeGreaterThan(0);
    for (let i = 0; i < 50; i++)
      expect((await call('POST', '/api/v1/auth/logout', { bearer: 'nonsense', address })).status).toBe(401);
    const { status: code } = await call('POST', '/api/v1/auth/logout', {
      bearer: sessions[0]?.bearer ?? '',
      address,
    });
    expect(code).toBe(200);
  });
});
