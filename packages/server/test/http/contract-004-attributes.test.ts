/** How the cookie of contract 004 is set and deleted, and the headers beside its deletion. */
import { describe, expect, test } from 'vitest';
import { type Answer, callerOf, openAuthority, PASSWORD, routeBackend } from '../support.ts';
import { recordingLog } from '../support.ts';
import { cookieLogin, USER } from './logins.ts';

const DONE = '{"message":"Logout successful"}';
const LOGIN = { email: USER, password: PASSWORD, transport: 'cookie' };

describe('over HTTPS', () => {
  const HTTPS = 'https://id.example.test';
  async function logInAndOut(
    settings: Record<string, string>,
    name: string,
  ): Promise<{ set: string; out: Answer }> {
    const on = await openAuthority(routeBackend(), {
      CURFEW_ISSUER: HTTPS,
      ...settings,
    });
    try {
      const call = callerOf(on.authority.fetch, HTTPS);
      const answer = await call('POST', '/auth/login', { body: LOGIN });
      const [set = ''] = answer.headers.getSetCookie();
      const value = /=([^;]*)/.exec(set)?.[1] ?? '';
      expect(answer.headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
      // Under another name it opens nothing.
      for (const other of ['curfew_session', '__Host-curfew_session', '__Secure-curfew_session']) {
        const { status } = await call('GET', '/auth/profile', { headers: { cookie: `${other}=${value}` } });
        expect([other, status]).toEqual([other, other === name ? 200 : 401]);
      }
      const out = await call('POST', '/auth/logout', {
        headers: { cookie: `${name}=${value}`, origin: HTTPS, 'x-csrf-token': answer.json.data.csrf_token },
      });
      expect([out.status, out.text]).toEqual([200, DONE]);
      return { set: set.replace(value, 'VALUE'), out };
    } finally {
      await on.close();
    }
  }
  const GONE = 'Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT';

  test('the cookie is __Host-, with Secure', async () => {
    const { set, out } = await logInAndOut({}, '__Host-curfew_session');
    expect(set).toBe('__Host-curfew_session=VALUE; Path=/; HttpOnly; Secure; SameSite=Lax');
    expect(out.headers.getSetCookie()).toEqual([
      `__Host-curfew_session=; ${GONE}; Path=/; HttpOnly; Secure; SameSite=Lax`,
    ]);
  });

  test('with a domain the cookie is __Secure-, deleted from every configured domain and path, and Clear-Site-Data is sent', async () => {
    const { set, out } = await logInAndOut(
      {
        CURFEW_COOKIE_DOMAIN: 'example.test',
        CURFEW_COOKIE_ALSO_CLEAR: 'old.example.test,/app,example.test/api,/',
        CURFEW_CLEAR_SITE_DATA: 'cache,cookies,storage',
      },
      '__Secure-curfew_session',
    );
    const rest = 'HttpOnly; Secure; SameSite=Lax';
    expect(set).toBe(`__Secure-curfew_session=VALUE; Domain=example.test; Path=/; ${rest}`);
    expect(out.headers.getSetCookie()).toEqual([
      `__Secure-curfew_session=; ${GONE}; Domain=example.test; Path=/; ${rest}`,
      `__Secure-curfew_session=; ${GONE}; Domain=old.example.test; Path=/; ${rest}`,
      `curfew_session=; ${GONE}; Domain=old.example.test; Path=/; ${rest}`,
      `__Secure-curfew_session=; ${GONE}; Path=/app; ${rest}`,
      `curfew_session=; ${GONE}; Path=/app; ${rest}`,
      `__Secure-curfew_session=; ${GONE}; Domain=example.test; Path=/api; ${rest}`,
      `curfew_session=; ${GONE}; Domain=example.test; Path=/api; ${rest}`,
      // Where there was no domain yet, the cookie had the prefix that forbids one.
      `__Host-curfew_session=; ${GONE}; Path=/; ${rest}`,
      `__Secure-curfew_session=; ${GONE}; Path=/; ${rest}`,
      `curfew_session=; ${GONE}; Path=/; ${rest}`,
    ]);
    expect(out.headers.get('clear-site-data')).toBe('"cache", "cookies", "storage"');
  });
});

test('in development the missing Secure is logged once', async () => {
  const { log, lines } = recordingLog();
  const on = await openAuthority(routeBackend(), {}, { log });
  try {
    await cookieLogin(on.call);
    await cookieLogin(on.call);
    expect(lines.filter((line) => line.includes('Secure'))).toHaveLength(1);
  } finally {
    await on.close();
  }
});
