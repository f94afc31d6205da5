/** Malformed values of every kind in fields, paths, queries and headers are refused, and never cause a 5xx. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Caller, openAuthority, routeBackend, SERVICE_KEY, type TestAuthority } from '../support.ts';
import { described, ROWS } from './described.ts';
import { type OpenSession, opened } from './logins.ts';

const RUBBISH: unknown[] = [
  '',
  '\0',
  '\u{1F512}',
  '\ud800',
  'x'.repeat(5000),
  "' or 1=1 --",
  '{{7*7}}',
  '../../etc/passwd',
  '-1',
  '1e999',
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 1,
  true,
  null,
  [],
  [[]],
  {},
  { toString: 1 },
  ['a', 1],
];

describe('malformed values', () => {
  let on: TestAuthority;
  let call: Caller;
  let user: OpenSession;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), {
      CURFEW_LOGIN_FAILURES_PAIR: '1000000',
      CURFEW_LOGIN_FAILURES_ADDRESS: '1000000',
      CURFEW_LOGIN_FAILURES_ACCOUNT: '1000000',
    });
    call = described(on.call);
    user = await opened(call, 2);
  });
  afterAll(() => on.close());

  test('malformed values in any field of any row never cause a 5xx', async () => {
    const faults: string[] = [];
    for (const row of ROWS) {
      const example = row.request?.body?.content['application/json']?.example as
        | Record<string, unknown>
        | undefined;
      if (!example || row.name === 'rotateKeys') continue;
      const fields = [
        ...Object.keys(example),
        'device',
        'sessions',
        'user_ids',
        'count',
        'client_id',
        'transport',
        '__proto__',
        'constructor',
      ];
      for (const field of fields) {
        const asked = RUBBISH.map(async (value) => {
          // A login costs a hash, also one that is refused: rubbish in a field beside the credentials need not be right.
          const body = {
            ...example,
            ...(field === 'device' || field === 'client_id' ? { password: '' } : {}),
            [field]: value,
          };
          const bearer = row.path.startsWith('/v1/admin') ? SERVICE_KEY : user.bearer;
          // Requests that would end this test's session have their own tests.
          if (row.path.endsWith('/logout'))
            Object.assign(body, {
              scope: row.path.includes('admin') ? 'device' : 'device',
              device: 'nowhere',
              user_id: 4711,
              device_id: 'nowhere',
              [field]: value,
            });
          if (row.path.endsWith('/logout') && field === 'scope') return;
          const answer = await on.call(row.method.toUpperCase(), row.path.replace('{id}', '4711'), {
            bearer,
            body: JSON.stringify(body),
          });
          if (answer.status >= 500)
            faults.push(`${row.path} ${field} ${JSON.stringify(value).slice(0, 40)}: ${answer.status}`);
        });
        await Promise.all(asked);
      }
    }
    expect(faults).toEqual([]);
  });

  test('malformed path and query values never cause a 5xx', async () => {
    const pieces = [
      '%00',
      '%ff',
      '%',
      '%2e%2e',
      "'",
      '\u{1F512}',
      '%0d%0aSet-Cookie:x=1',
      '9'.repeat(400),
      '-0',
      '[]',
      '__proto__',
      '%F0%9F%94',
    ];
    const paths = ['/v1/sessions/X', '/v1/admin/users/X', '/api/users/X', '/X', '/v1/X', '/docs/X'];
    const queries = [
      '/v1/admin/users?query=X',
      '/v1/admin/events?type=X',
      '/v1/admin/events?reason=X',
      '/v1/admin/sessions?client_id=X',
      '/api/auth/logout?userId=X&sessionId=X',
      '/api/auth/logout?userId=2&sessionId=X',
      '/auth/logout?scope=X',
      '/v1/admin/users?X=X',
      '/v1/session?X',
    ];
    const faults: string[] = [];
    for (const place of [...paths, ...queries])
      for (const piece of pieces)
        for (const method of ['GET', 'POST', 'DELETE', 'PATCH']) {
          const path = place.replaceAll('X', piece);
          const answer = await on.call(method, path, {
            bearer: SERVICE_KEY,
            ...(method === 'GET' ? {} : { body: '{}' }),
          });
          if (answer.status >= 500) faults.push(`${method} ${path}: ${answer.status}`);
        }
    expect(faults).toEqual([]);
  });

  test('malformed credentials never cause a 5xx', async () => {
    const texts = [
      '\u00ff',
      '%00',
      '"',
      '{}',
      'Bearer Bearer x',
      'x'.repeat(9000),
      'eyJ.eyJ.eyJ',
      'sess_\u00e9',
      '1|\u00e9',
      ';',
      ',',
      '=',
    ];
    for (const text of texts)
      for (const headers of [
        { authorization: `Bearer ${text}` },
        { authorization: text },
        { cookie: `curfew_session=${text}` },
        { cookie: text },
      ] as Record<string, string>[])
        for (const [method, path] of [
          ['GET', '/v1/session'],
          ['POST', '/auth/logout'],
          ['GET', '/v1/admin/users'],
          ['GET', '/v1/check'],
        ] as const) {
          const { status } = await on.call(method, path, { headers });
          expect([Object.entries(headers).flat(), path, status]).toEqual([
            Object.entries(headers).flat(),
            path,
            401,
          ]);
        }
  });
});
