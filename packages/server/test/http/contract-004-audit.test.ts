/** The rows of contract 004 in the audit table, and a logout when the database fails. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, type TestAuthority } from '../support.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { migrated, recordingLog, reopenAuthority } from '../support.ts';
import { ADMIN, alive, cookieLogin, USER, v1Login } from './logins.ts';

const DONE = '{"message":"Logout successful"}';

describe.runIf(hasPostgres())('the audit table, PostgreSQL', () => {
  let on: TestAuthority;
  let url: string;
  const recorded = recordingLog();
  beforeAll(async () => {
    url = await freshDatabase(migrated);
    on = await reopenAuthority({ DATABASE_URL: url }, { log: recorded.log });
  });
  afterAll(() => on.close());

  const run = (sql: string) => withClient(url, async (client) => (await client.query(sql)).rows);
  const rows = () =>
    run(
      `select event_type, user_id::int, ip_address, message, created_at from logs where event_type = 'USER_LOGOUT' order by id`,
    );

  test('the row exists when the logout answers', async () => {
    for (let i = 1; i <= 5; i++) {
      const { cookie, csrf } = await cookieLogin(on.call);
      const { status } = await on.call('POST', '/auth/logout', { cookie, csrf, address: `198.51.100.${i}` });
      expect(status).toBe(200);
      const written = await rows();
      expect(written).toHaveLength(i);
      expect(written.at(-1)).toEqual({
        event_type: 'USER_LOGOUT',
        user_id: 2,
        ip_address: `198.51.100.${i}`,
        message: 'User 2 logged out successfully',
        created_at: expect.any(Date),
      });
    }
  });

  test('a logout through another family writes a row too', async () => {
    const before = (await rows()).length;
    const { bearer } = await v1Login(on.call, ADMIN);
    await on.call('POST', '/auth/logout', { bearer });
    await expect.poll(async () => (await rows()).slice(before)).toMatchObject([{ user_id: 1 }]);
  });

  test.each([
    ['is away', 'alter table logs rename to logs_away', 'alter table logs_away rename to logs'],
    [
      'refuses',
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no space'; end $$;
       create trigger refuse before insert on logs for each row execute function refuse()`,
      'drop trigger refuse on logs',
    ],
  ])(
    'the table %s: the logout answers 200, an error is logged, and the row is written later',
    async (_name, breakIt, mendIt) => {
      const before = (await rows()).length;
      const { cookie, csrf } = await cookieLogin(on.call);
      recorded.lines.length = 0;
      await run(breakIt);
      try {
        const { status, text } = await on.call('POST', '/auth/logout', { cookie, csrf });
        expect([status, text]).toEqual([200, DONE]);
        expect((await on.call('GET', '/auth/profile', { cookie })).status).toBe(401);
        const errors = recorded.lines
          .map((line) => JSON.parse(line))
          .filter((line) => line.level === 'error');
        expect(errors).not.toEqual([]);
        expect(errors[0]).toMatchObject({ reader: 'audit', err: { message: expect.any(String) } });
      } finally {
        await run(mendIt);
      }
      await expect.poll(async () => (await rows()).length).toBe(before + 1);
    },
  );

  test('a session that the database cannot end: 500 and "try again", and it is alive', async () => {
    const { cookie, csrf } = await cookieLogin(on.call);
    const bearer = (await v1Login(on.call)).bearer;
    const token = await on.call('POST', '/api/v1/auth/login', { body: { email: USER, password: PASSWORD } });
    const session = await on.call('POST', '/api/auth/login', {
      body: { username: USER, password: PASSWORD },
    });
    const sessionId: string = session.json.data.sessionToken;
    await run('alter table events rename to events_away');
    try {
      const out = async (path: string, options: object) => {
        const { status, text, headers } = await on.call('POST', path, options);
        return [status, text.replace(/"timestamp":"[^"]*"/, '"timestamp":""'), headers.get('retry-after')];
      };
      const detail = '{"detail":{"error_code":"LOGOUT_FAILED","message":"Not logged out, try again"}}';
      expect(await out('/auth/logout', { cookie, csrf })).toEqual([500, detail, null]);
      expect(await out('/auth/logout', { bearer })).toEqual([
        503,
        '{"success":false,"message":"Not logged out, try again","data":null,"code":"LOGOUT_FAILED","field":null}',
        '1',
      ]);
      expect(await out('/api/v1/auth/logout', { bearer: token.json.access_token })).toEqual([
        503,
        '{"message":"Not logged out, try again."}',
        '1',
      ]);
      expect(await out(`/api/auth/logout?userId=2&sessionId=${sessionId}`, {})).toEqual([
        500,
        '{"error":"Logout failed: Internal server error","path":"/api/auth/logout","timestamp":""}',
        null,
      ]);
      const [status, text, retry] = await out('/v1/logout', { bearer });
      expect([status, JSON.parse(String(text)).code, retry]).toEqual([503, 'not_logged_out', '1']);
    } finally {
      await run('alter table events_away rename to events');
    }
    expect((await on.call('GET', '/auth/profile', { cookie })).status).toBe(200);
    expect(
      await alive(on.call, [{ bearer }, { bearer: token.json.access_token }, { bearer: sessionId }]),
    ).toEqual([true, true, true]);
  });
});
