import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backends, cookieOf, openAuthority, PASSWORD, type TestAuthority } from '../support.ts';

/** Logs test@example.com in through every family and gives a question to each credential: is it alive? */
async function everyWay({ call }: TestAuthority): Promise<Record<string, () => Promise<number>>> {
  const email = 'test@example.com';
  const v1 = await call('POST', '/v1/login', { body: { email, password: PASSWORD } });
  const envelope = await call('POST', '/auth/login', { body: { email, password: PASSWORD } });
  const sessionId = await call('POST', '/api/auth/login', { body: { username: email, password: PASSWORD } });
  const token = await call('POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } });
  const cookie = await call('POST', '/auth/login', {
    body: { email, password: PASSWORD, transport: 'cookie' },
  });
  const value = cookieOf(cookie);
  const ask = async (path: string, options: object) => (await call('GET', path, options)).status;
  return {
    v1: () => ask('/v1/check', { bearer: v1.json.access_token }),
    envelope: () => ask('/auth/profile', { bearer: envelope.json.data.access_token }),
    sessionId: () => ask('/api/users/2', { bearer: sessionId.json.data.sessionToken }),
    token: () => ask('/api/v1/auth/status', { bearer: token.json.access_token }),
    cookie: () => ask('/auth/profile', { cookie: value }),
  };
}

interface Logins {
  v1: { bearer: string };
  envelope: { bearer: string };
  token: { bearer: string };
  cookie: { cookie: string; csrf: string };
}

describe.each(backends())('one set of sessions, %s', (backend) => {
  let on: TestAuthority;
  beforeAll(async () => {
    on = await openAuthority(backend);
  });
  afterAll(() => on.close());

  const logouts: [string, (login: Logins) => Promise<number>][] = [
    [
      'v1 all',
      async (l) => (await on.call('POST', '/v1/logout', { ...l.v1, body: { scope: 'all' } })).status,
    ],
    ['001', async (l) => (await on.call('POST', '/auth/logout', l.envelope)).status],
    ['003', async (l) => (await on.call('POST', '/api/v1/auth/logout', l.token)).status],
    ['004 all', async (l) => (await on.call('POST', '/auth/logout?scope=all', l.cookie)).status],
  ];
  async function login(): Promise<Logins> {
    const credentials = { email: 'test@example.com', password: PASSWORD };
    const v1 = await on.call('POST', '/v1/login', { body: credentials });
    const envelope = await on.call('POST', '/auth/login', { body: credentials });
    const token = await on.call('POST', '/api/v1/auth/login', { body: credentials });
    const cookie = await on.call('POST', '/auth/login', { body: { ...credentials, transport: 'cookie' } });
    return {
      v1: { bearer: v1.json.access_token as string },
      envelope: { bearer: envelope.json.data.access_token as string },
      token: { bearer: token.json.access_token as string },
      cookie: { cookie: cookieOf(cookie), csrf: cookie.json.data.csrf_token as string },
    };
  }

  test.each(logouts)('logged in through every family, out through %s: dead in all', async (_name, logOut) => {
    const ways = await everyWay(on);
    for (const [name, ask] of Object.entries(ways)) expect([name, await ask()]).toEqual([name, 200]);
    expect(await logOut(await login())).toBe(200);
    for (const [name, ask] of Object.entries(ways)) expect([name, await ask()]).toEqual([name, 401]);
  });
});
