/** A cookie whose session is over goes from the browser; one that is alive, or of which nothing is known, stays. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres } from '../services/fresh-database.ts';
import {
  type Answer,
  type Caller,
  openAuthority,
  reopenAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { cookieLogin, opened, sessionTokenLogin, tokenLogin, v1Login, ADMIN } from './logins.ts';

const OVER = 'curfew_session=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT';
const DELETIONS = [
  `${OVER}; Path=/; HttpOnly; SameSite=Lax`,
  `${OVER}; Domain=example.com; Path=/; HttpOnly; SameSite=Lax`,
  `${OVER}; Path=/app; HttpOnly; SameSite=Lax`,
];
const SID = '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60';
/** Every route that reads the cookie. */
const ROUTES: [method: string, path: string, body?: unknown][] = [
  ['GET', '/v1/session'],
  ['GET', '/v1/sessions'],
  ['POST', '/v1/logout', {}],
  ['DELETE', `/v1/sessions/${SID}`],
  ['PATCH', `/v1/sessions/${SID}`, { name: 'x' }],
  ['POST', '/v1/session/confirm', { password: 'x' }],
  ['POST', '/v1/password', { current_password: 'x', new_password: 'y' }],
  ['GET', '/v1/check'],
  ['GET', '/v1/check?audience=elsewhere'],
  ['POST', '/v1/check'],
  ['GET', '/v1/notices'],
  ['GET', '/v1/admin/users'],
  ['GET', '/v1/admin/events'],
  ['POST', '/v1/admin/logout', { scope: 'everyone' }],
  ['GET', '/auth/profile'],
  ['GET', '/auth/workspace'],
  ['POST', '/auth/logout'],
];
const PAGES: [method: string, path: string][] = [
  ['GET', '/login'],
  ['GET', '/logout'],
];

describe('a dead cookie', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), {
      CURFEW_COOKIE_ALSO_CLEAR: 'example.com,/app',
      CURFEW_CLEAR_SITE_DATA: 'storage',
    });
    call = on.call;
  });
  afterAll(() => on.close());

  const deleted = (answer: Answer): string[] => answer.headers.getSetCookie();
  const cookieOfUser = async (userId = 2, clientId = 'cookie') => {
    const { json } = await call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: userId, client_id: clientId, transport: 'cookie' },
    });
    return {
      sid: json.session.id as string,
      cookie: json.cookie.value as string,
      csrf: json.csrf_token as string,
    };
  };

  test('is deleted by every route that finds it dead, from every place, with nothing else', async () => {
    const { sid, cookie } = await cookieOfUser();
    await call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'sessions', sessions: [sid] },
    });
    for (const [method, path, body] of ROUTES) {
      const answer = await call(method, path, { cookie, ...(body === undefined ? {} : { body }) });
      expect([method, path, answer.status, deleted(answer)]).toEqual([method, path, 401, DELETIONS]);
      expect(answer.headers.get('clear-site-data')).toBeNull();
    }
    for (const [method, path] of PAGES)
      expect([path, deleted(await call(method, path, { cookie }))]).toEqual([path, DELETIONS]);
    const devices = await call('GET', '/devices', { cookie });
    // The login page, to which this redirects, says why the session ended.
    expect([devices.status, deleted(devices)]).toEqual([303, []]);
  });

  test.each<[string, () => Promise<string>]>([
    [
      'logged out itself',
      async () => {
        const { cookie, csrf } = await cookieLogin(call);
        await call('POST', '/auth/logout', { cookie, csrf });
        return cookie;
      },
    ],
    [
      'ended by a cut',
      async () => {
        const { cookie } = await cookieOfUser();
        await call('POST', '/v1/logout', { bearer: (await opened(call, 2)).bearer, body: { scope: 'all' } });
        return cookie;
      },
    ],
    ['of a session that is known no more', async () => `cs_${'A'.repeat(43)}`],
  ])('%s is deleted', async (_name, arrange) => {
    const cookie = await arrange();
    for (const path of ['/v1/session', '/auth/profile'])
      expect(deleted(await call('GET', path, { cookie }))).toEqual(DELETIONS);
  });

  test('is kept where the browser was given another one for it, which may have arrived already', async () => {
    const first = await cookieLogin(call);
    const second = await cookieLogin(call, undefined, { cookie: `curfew_session=${first.cookie}` });
    const late = await call('GET', '/v1/session', { cookie: first.cookie });
    expect([late.status, deleted(late)]).toEqual([401, []]);
    expect((await call('GET', '/v1/session', { cookie: second.cookie })).status).toBe(200);
  });

  test('is kept beside a second cookie, and beside a header; a foreign one is kept too', async () => {
    const { sid, cookie } = await cookieOfUser();
    await call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'sessions', sessions: [sid] },
    });
    for (const headers of [
      { cookie: `curfew_session=${cookie}; curfew_session=x` },
      { cookie: 'curfew_session=theirs' },
      { cookie: `curfew_session=${cookie}`, authorization: 'Bearer x' },
    ] as Record<string, string>[]) {
      const answer = await call('GET', '/v1/session', { headers });
      expect([answer.status, deleted(answer)]).toEqual([401, []]);
    }
  });

  test('a live cookie is kept: without its CSRF token, and for another audience', async () => {
    const { cookie } = await cookieOfUser();
    const forged = await call('POST', '/auth/logout', { cookie });
    expect([forged.status, deleted(forged)]).toEqual([403, []]);
    const check = await call('GET', '/v1/check?audience=elsewhere', { cookie });
    expect([check.status, deleted(check)]).toEqual([401, []]);
  });

  test.runIf(hasPostgres())('is kept while the database does not answer', async () => {
    const { cookie } = await cookieOfUser();
    await call('POST', '/v1/logout', { bearer: (await opened(call, 2)).bearer, body: { scope: 'all' } });
    // A node that remembers nothing of it: one that does knows that it is over.
    const other = await reopenAuthority(on.settings);
    const database = new pg.Client({ connectionString: on.settings['DATABASE_URL'] });
    await database.connect();
    await database.query('alter table tokens rename to tokens_away');
    try {
      for (const path of ['/v1/session', '/v1/check', '/auth/profile', '/login']) {
        const answer = await other.call('GET', path, { cookie });
        expect([path, answer.status === 401, deleted(answer)]).toEqual([path, false, []]);
        expect(deleted(await call('GET', path, { cookie }))).toEqual([]);
      }
    } finally {
      await database.query('alter table tokens_away rename to tokens');
      await database.end();
      await other.close();
    }
    expect(deleted(await call('GET', '/v1/session', { cookie }))).toEqual(DELETIONS);
  });

  test('every contract’s logout deletes a cookie of the request whose session it ended', async () => {
    const stranger = await cookieOfUser(1);
    const ways: [string, () => Promise<[string, string, string?]>][] = [
      ['001', async () => ['/auth/logout', (await v1Login(call)).bearer]],
      ['003', async () => ['/api/v1/auth/logout', (await tokenLogin(call)).bearer]],
      ['v1', async () => ['/v1/logout', (await v1Login(call)).bearer, '{"scope":"all"}']],
    ];
    for (const [name, arrange] of ways) {
      const [path, bearer, body] = await arrange();
      const { cookie } = await cookieOfUser();
      const out = await call('POST', path, { bearer, cookie, ...(body === undefined ? {} : { body }) });
      expect([name, out.status, deleted(out)]).toEqual([name, 200, DELETIONS]);
      const [again, other, more] = await arrange();
      const strange = await call('POST', again, {
        bearer: other,
        cookie: stranger.cookie,
        ...(more === undefined ? {} : { body: more }),
      });
      expect([name, strange.status, deleted(strange)]).toEqual([name, 200, []]);
    }
    const token = await sessionTokenLogin(call);
    const { sid, cookie } = await cookieOfUser();
    await call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'sessions', sessions: [sid] },
    });
    const out = await call('POST', `/api/auth/logout?userId=2&sessionId=${token}`, { cookie });
    expect([out.status, deleted(out)]).toEqual([200, DELETIONS]);
  });

  test('the user’s own id in capitals, and an ending by header, delete the cookie too', async () => {
    for (const end of [
      (sid: string, more: object) =>
        call('POST', '/v1/logout', { ...more, body: { scope: 'selected', sessions: [sid.toUpperCase()] } }),
      (sid: string, more: object) => call('DELETE', `/v1/sessions/${sid.toUpperCase()}`, more),
    ]) {
      const { sid, cookie, csrf } = await cookieOfUser();
      const out = await end(sid, { cookie, csrf });
      expect([out.status, out.json.ended, deleted(out)]).toEqual([200, 1, DELETIONS]);
      expect((await call('GET', '/v1/session', { cookie })).status).toBe(401);
      const mine = await cookieOfUser();
      const { bearer } = await opened(call, 2);
      expect(deleted(await end(mine.sid, { bearer, cookie: mine.cookie }))).toEqual(DELETIONS);
    }
  });

  test('an administrator who ends their own session loses the cookie', async () => {
    const { cookie, csrf } = await cookieLogin(call, ADMIN);
    const ask = (body: object) => call('POST', '/v1/admin/logout', { cookie, csrf, body });
    expect(deleted(await ask({ scope: 'user', user_id: 2 }))).toEqual([]);
    expect(deleted(await ask({ scope: 'user', user_id: 1 }))).toEqual(DELETIONS);
  });
});
