import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  type Caller,
  openAuthority,
  PASSWORD,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { ADMIN, sessionTokenLogin, tokenLogin, USER, v1Login } from './logins.ts';

const LOGOUT = '/api/auth/logout';
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

describe('contract 002, session-id', () => {
  let on: TestAuthority;
  let call: Caller;
  /** Milliseconds by which the authority's clock is ahead. */
  let ahead = 0;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), {}, { system: { now: () => new Date(Date.now() + ahead) } });
    call = described(on.call);
  });
  afterAll(() => on.close());

  const out = (userId: string | number, sessionId: string): Promise<Answer> =>
    call('POST', `${LOGOUT}?${new URLSearchParams({ userId: String(userId), sessionId }).toString()}`);
  const isAlive = async (bearer: string): Promise<boolean> =>
    (await call('GET', '/api/users/2', { bearer })).status === 200;

  const newestEnding = async (): Promise<unknown> => {
    const { status, json } = await call('GET', '/v1/admin/events?type=sessions_ended', {
      bearer: SERVICE_KEY,
    });
    expect(status).toBe(200);
    return json.events[0];
  };

  function expectError(answer: Answer, status: number, error: string, path: string): void {
    expect([answer.status, answer.json]).toEqual([
      status,
      { error, path, timestamp: expect.stringMatching(INSTANT) },
    ]);
    expect(Object.keys(answer.json)).toEqual(['error', 'path', 'timestamp']);
    expect(Math.abs(Date.parse(String(answer.json['timestamp'])) - Date.now() - ahead)).toBeLessThan(60_000);
  }

  test('login answers user id, session token and expiry', async () => {
    const { status, json, text } = await call('POST', '/api/auth/login', {
      body: { username: ADMIN, password: PASSWORD },
    });
    expect(status).toBe(200);
    expect(json).toEqual({
      success: true,
      data: {
        userId: 1,
        sessionToken: expect.stringMatching(/^sess_[\w-]{43}$/),
        expiresAt: expect.stringMatching(INSTANT),
      },
    });
    expect(text).toMatch(/^\{"success":true,"data":\{"userId":1,"sessionToken":"sess_/);
    expect(Object.keys(json.data)).toEqual(['userId', 'sessionToken', 'expiresAt']);
    expect(Date.parse(json.data.expiresAt)).toBeGreaterThan(Date.now());
  });

  test.each([
    ['no username', { password: PASSWORD }],
    ['no password', { username: USER }],
    ['a username that is no address', { username: 'admin', password: PASSWORD }],
    ['an email in place of the username', { email: USER, password: PASSWORD }],
    ['no JSON', '{'],
  ])('login with %s: 400', async (_name, body) => {
    const answer = await call('POST', '/api/auth/login', { body });
    expectError(answer, 400, String(answer.json['error']), '/api/auth/login');
  });

  test('login with wrong credentials: 401, the same for an unknown user', async () => {
    for (const username of [USER, 'nobody@example.com']) {
      const answer = await call('POST', '/api/auth/login', { body: { username, password: 'not it' } });
      expectError(answer, 401, 'Invalid username or password', '/api/auth/login');
    }
  });

  test('logout ends the named session', async () => {
    const [session, other] = [await sessionTokenLogin(call), await sessionTokenLogin(call)];
    const { status, text, headers } = await out(2, session);
    expect([status, text]).toEqual([200, '{"success":true,"message":"Logged out successfully"}']);
    expect(headers.get('curfew-propagation')).toMatch(
      /^confirmed=\?1, ms=[\d.]+, acknowledged=0, waited-out=0$/,
    );
    expect(headers.get('content-type')).toBe('application/json');
    expect([await isAlive(session), await isAlive(other)]).toEqual([false, true]);
    expectError(await out(2, session), 404, 'Session not found or already expired', LOGOUT);
  });

  test('logout needs no credential but the token, and ignores another one', async () => {
    const session = await sessionTokenLogin(call);
    const query = new URLSearchParams({ userId: '2', sessionId: session });
    const { status } = await call('POST', `${LOGOUT}?${query.toString()}`, {
      bearer: 'nonsense',
      cookie: 'nonsense',
    });
    expect([status, await isAlive(session)]).toEqual([200, false]);
  });

  describe('400 for what is missing, and nothing changes', () => {
    const good = 'sessionId=SESSION';
    const userId = (text: string): string => `?userId=${text}&${good}`;
    test.each([
      ['both', ''],
      ['userId', `?${good}`],
      ['sessionId', '?userId=2'],
      ['an empty userId', userId('')],
      ['an empty sessionId', '?userId=2&sessionId='],
      ['userId 0', userId('0')],
      ['userId 00', userId('00')],
      ['a negative userId', userId('-2')],
      ['a userId with a sign', userId('%2B2')],
      ['a userId with a blank', userId('%202')],
      ['a userId with a fraction', userId('2.0')],
      ['a userId with an exponent', userId('2e0')],
      ['a hexadecimal userId', userId('0x2')],
      ['a userId in other digits', userId('%D9%A2')],
      ['a word', userId('admin')],
      ['a userId of more than 63 bits', userId('9223372036854775808')],
      ['a userId of many digits', userId('9'.repeat(100))],
      ['the names in another case', `?userid=2&sessionid=SESSION`],
    ])('%s', async (_name, query) => {
      const session = await sessionTokenLogin(call);
      const answer = await call('POST', LOGOUT + query.replace('SESSION', session));
      expectError(answer, 400, 'userId and sessionId parameters are required', LOGOUT);
      expect(await isAlive(session)).toBe(true);
      await out(2, session);
    });
  });

  describe('404, the same for each case, and nothing changes', () => {
    const expectNothing = async (userId: string | number, sessionId: string): Promise<void> =>
      expectError(await out(userId, sessionId), 404, 'Session not found or already expired', LOGOUT);

    test('an unknown or misspelt session', async () => {
      const session = await sessionTokenLogin(call);
      const secret = session.slice(5);
      const others = [
        'invalid_session',
        'expired_session',
        'sess_abc123def456ghi789',
        `sess_${'A'.repeat(43)}`,
      ];
      const misspelt = [
        secret,
        `SESS_${secret}`,
        `${session} `,
        ` ${session}`,
        `${session}=`,
        `${session}\n`,
      ];
      for (const text of [...others, ...misspelt, `cs_${secret}`, '\0', '%']) await expectNothing(2, text);
      expect(await isAlive(session)).toBe(true);
    });

    test('a session of another user', async () => {
      const session = await sessionTokenLogin(call);
      for (const userId of [1, 3, 99_999, '9007199254740993', '9223372036854775807'])
        await expectNothing(userId, session);
      expect(await isAlive(session)).toBe(true);
    });

    test('a session of another user, named by an administrator', async () => {
      const session = await sessionTokenLogin(call);
      await expectNothing(1, session);
      const administrators = await sessionTokenLogin(call, ADMIN);
      await expectNothing(2, administrators);
      expect(await isAlive(session)).toBe(true);
    });

    test('other credentials of a live session', async () => {
      const token = await tokenLogin(call);
      const v1 = await v1Login(call);
      for (const text of [token.bearer, token.refresh, v1.bearer, v1.refresh, v1.sid])
        await expectNothing(2, text);
      expect((await call('GET', '/v1/session', { bearer: v1.bearer })).status).toBe(200);
    });

    test('a session that ended in another way', async () => {
      const session = await sessionTokenLogin(call);
      await call('POST', '/v1/logout', { bearer: (await v1Login(call)).bearer, body: { scope: 'all' } });
      await expectNothing(2, session);
    });

    test('a session that expired, idle or absolute', async () => {
      for (const days of [8, 31]) {
        const session = await sessionTokenLogin(call);
        const before = await newestEnding();
        ahead = days * 86_400_000;
        await expectNothing(2, session);
        ahead = 0;
        // Nothing was written.
        expect(await newestEnding()).toEqual(before);
      }
    });
  });

  test('a leading zero in the user id is the same number', async () => {
    const session = await sessionTokenLogin(call);
    expect((await out('02', session)).status).toBe(200);
    expect(await isAlive(session)).toBe(false);
  });

  describe('GET /api/users/{id}', () => {
    test('the own user: 200', async () => {
      const session = await sessionTokenLogin(call);
      const { status, json } = await call('GET', '/api/users/2', { bearer: session });
      expect([status, json]).toEqual([
        200,
        { id: 2, email: USER, name: 'Demo User', role: 'user', workspace: 'main' },
      ]);
    });

    test('another user: 403, whether it exists or not', async () => {
      const session = await sessionTokenLogin(call);
      for (const id of ['1', '99', '0', 'x', '-2', '9'.repeat(30)])
        expectError(
          await call('GET', `/api/users/${id}`, { bearer: session }),
          403,
          'Access denied',
          `/api/users/${id}`,
        );
    });

    test('an administrator may read every user', async () => {
      const session = await sessionTokenLogin(call, ADMIN);
      expect((await call('GET', '/api/users/2', { bearer: session })).json).toMatchObject({
        id: 2,
        email: USER,
      });
      for (const id of ['99', 'x', '0', '9'.repeat(30)])
        expectError(
          await call('GET', `/api/users/${id}`, { bearer: session }),
          404,
          'User not found',
          `/api/users/${id}`,
        );
    });

    test('no session: 401, also with a cookie', async () => {
      const path = '/api/users/2';
      expectError(await call('GET', path), 401, 'Not authenticated', path);
      expectError(
        await call('GET', path, { bearer: `sess_${'A'.repeat(43)}` }),
        401,
        'Not authenticated',
        path,
      );
      expectError(await call('GET', path, { bearer: SERVICE_KEY }), 401, 'Not authenticated', path);
      const login = await call('POST', '/auth/login', {
        body: { email: USER, password: PASSWORD, transport: 'cookie' },
      });
      const cookie = /=([^;]+)/.exec(login.headers.getSetCookie()[0] ?? '')?.[1] ?? '';
      expectError(await call('GET', path, { cookie }), 401, 'Not authenticated', path);
    });
  });

  test('the path in an error has no query', async () => {
    const answer = await call('GET', '/api/users/2?sessionId=sess_x&token=y');
    expectError(answer, 401, 'Not authenticated', '/api/users/2');
  });
});
