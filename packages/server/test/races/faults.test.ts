/** A database that fails or hangs, and returns: nothing is half done, and no answer is wrong. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import pg from 'pg';
import { type Answer, cookieOf, SERVICE_KEY } from '../support.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { openPlace, type Place, pause, until } from './node.ts';

const LEASE_MS = 400;

interface Everywhere {
  userId: number;
  v1: string;
  envelope: string;
  sessionId: string;
  token: string;
  cookie: string;
  csrf: string;
}

describe.runIf(hasPostgres())('a failing database', () => {
  let on: Place;
  beforeAll(async () => {
    on = await openPlace('postgres', { CURFEW_LEASE_MS: String(LEASE_MS) });
  });
  afterAll(() => on.close());

  const call = (...args: Parameters<Place['nodes'][0]['call']>): Promise<Answer> => on.at(0).call(...args);

  async function everywhere(): Promise<Everywhere> {
    const { id, email } = await on.user();
    const body = { email, password: 'secret' };
    const v1 = await call('POST', '/v1/login', { body });
    const envelope = await call('POST', '/auth/login', { body });
    const sessionId = await call('POST', '/api/auth/login', {
      body: { username: email, password: 'secret' },
    });
    const token = await call('POST', '/api/v1/auth/login', { body });
    const cookie = await call('POST', '/auth/login', { body: { ...body, transport: 'cookie' } });
    const data = <T>(answer: Answer): T => answer.json['data'] as T;
    return {
      userId: id,
      v1: String(v1.json['access_token']),
      envelope: data<{ access_token: string }>(envelope).access_token,
      sessionId: data<{ sessionToken: string }>(sessionId).sessionToken,
      token: String(token.json['access_token']),
      cookie: cookieOf(cookie),
      csrf: data<{ csrf_token: string }>(cookie).csrf_token,
    };
  }

  const checks = async (user: Everywhere): Promise<number[]> => {
    const { v1, envelope, sessionId, token, cookie } = user;
    const answers = [];
    for (const node of on.nodes) {
      for (const bearer of [v1, envelope, sessionId, token])
        answers.push(await node.call('GET', '/v1/check', { bearer }));
      answers.push(await node.call('GET', '/v1/check', { cookie }));
    }
    return answers.map((answer) => answer.status);
  };
  const all = (status: number): number[] => Array.from({ length: 10 }, () => status);

  /** Everything that a logout could have touched. */
  const traces = (userId: number): Promise<unknown[]> =>
    on.rows(
      `select (select count(*) from user_sessions where user_id = $1 and is_active) as active,
         (select count(*) from user_sessions where user_id = $1 and ended_at is not null) as ended,
         (select count(*) from cuts where key like '%:' || $1 || '%') as cuts,
         (select count(*) from events where type = 'sessions_ended' and $1 = any(user_ids || user_id)) as events`,
      userId,
    );

  /** Every contract's logout, with the exact text of its failure. */
  async function expectFailures(user: Everywhere): Promise<void> {
    const admin = { bearer: SERVICE_KEY };
    const problem = { type: 'urn:curfew:problem:not_logged_out', status: 503, code: 'not_logged_out' };
    for (const scope of ['this', 'others', 'all', 'device']) {
      const answer = await call('POST', '/v1/logout', { bearer: user.v1, body: { scope } });
      expect([answer.status, answer.json]).toMatchObject([503, problem]);
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    const byAdmin = await call('POST', '/v1/admin/logout', {
      ...admin,
      body: { scope: 'user', user_id: user.userId },
    });
    expect([byAdmin.status, byAdmin.json]).toMatchObject([503, problem]);
    const envelope = await call('POST', '/auth/logout', { bearer: user.envelope });
    expect([envelope.status, envelope.json]).toEqual([
      503,
      {
        success: false,
        message: 'Not logged out, try again',
        data: null,
        code: 'LOGOUT_FAILED',
        field: null,
      },
    ]);
    const sessionId = await call(
      'POST',
      `/api/auth/logout?userId=${user.userId}&sessionId=${user.sessionId}`,
    );
    expect([sessionId.status, sessionId.json]).toEqual([
      500,
      {
        error: 'Logout failed: Internal server error',
        path: '/api/auth/logout',
        timestamp: expect.stringMatching(/Z$/),
      },
    ]);
    const token = await call('POST', '/api/v1/auth/logout', { bearer: user.token });
    expect([token.status, token.json]).toEqual([503, { message: 'Not logged out, try again.' }]);
    const cookie = await call('POST', '/auth/logout?scope=all', { cookie: user.cookie, csrf: user.csrf });
    expect([cookie.status, cookie.json]).toEqual([
      500,
      { detail: { error_code: 'LOGOUT_FAILED', message: 'Not logged out, try again' } },
    ]);
    expect(cookie.headers.getSetCookie()).toEqual([]);
  }

  const faults: [string, string, string][] = [
    [
      'when the event is written',
      `create function fail() returns trigger language plpgsql as $$ begin raise 'disk full'; end $$;
       create trigger fail before insert on events for each row execute function fail()`,
      'drop trigger fail on events; drop function fail',
    ],
    [
      'when the rows and the event are written already',
      `create function fail() returns trigger language plpgsql as $$ begin raise 'disk full'; end $$;
       create constraint trigger fail after insert on events deferrable initially deferred
         for each row execute function fail()`,
      'drop trigger fail on events; drop function fail',
    ],
  ];
  test.each(faults)('%s: each contract reports it, and nothing is half done', async (_when, begin, end) => {
    const user = await everywhere();
    const before = await traces(user.userId);
    expect(before).toEqual([{ active: 5, ended: 0, cuts: 0, events: 0 }]);
    await on.rows(begin).finally(() => undefined);
    try {
      await expectFailures(user);
      const disable = await call('PATCH', `/v1/admin/users/${user.userId}`, {
        bearer: SERVICE_KEY,
        body: { disabled: true },
      });
      expect(disable.status).toBe(503);
    } finally {
      await on.rows(end);
    }
    expect(await traces(user.userId)).toEqual(before);
    expect(await checks(user)).toEqual(all(200));
    expect((await call('POST', '/auth/logout', { bearer: user.envelope })).status).toBe(200);
    expect(await checks(user)).toEqual(all(401));
  });

  test('that hangs: a logout gives up in time, the session is alive, and checks from memory continue', async () => {
    const user = await everywhere();
    const before = await traces(user.userId);
    expect(await checks(user)).toEqual(all(200));
    const locker = new pg.Client({ connectionString: on.settings['DATABASE_URL'] });
    await locker.connect();
    try {
      await locker.query('begin; lock table user_sessions in access exclusive mode');
      const startedMs = performance.now();
      const out = call('POST', '/v1/logout', { bearer: user.v1, body: { scope: 'all' } });
      await pause(LEASE_MS * 2);
      // The log can be read, so memory is fresh.
      expect(await checks(user)).toEqual(all(200));
      const answer = await out;
      expect([answer.status, answer.json['code']]).toEqual([503, 'not_logged_out']);
      expect(performance.now() - startedMs).toBeLessThan(15_000);
    } finally {
      await locker.end();
    }
    expect(await traces(user.userId)).toEqual(before);
    expect(await checks(user)).toEqual(all(200));
  });

  test('that is away: memory answers within the lease, then nothing does', async () => {
    const user = await everywhere();
    expect(await checks(user)).toEqual(all(200));
    const url = new URL(on.settings['DATABASE_URL'] ?? '');
    const name = url.pathname.slice(1);
    url.pathname = '/postgres';
    const admin = new pg.Client({ connectionString: url.href });
    await admin.connect();
    try {
      const startedMs = performance.now();
      await admin.query(`alter database "${name}" with allow_connections false`);
      await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
      const cutMs = performance.now();
      for (let left = LEASE_MS * 3; left > 0; left = cutMs + LEASE_MS * 3 - performance.now()) {
        const askedMs = performance.now();
        for (const status of await checks(user)) {
          expect([200, 503]).toContain(status);
          if (askedMs - cutMs > LEASE_MS) expect(status).toBe(503);
        }
        await pause(20);
      }
      expect(performance.now() - startedMs).toBeLessThan(20_000);
    } finally {
      await admin.query(`alter database "${name}" with allow_connections true`);
      await admin.end();
    }
    await until('the nodes are back', async () => (await checks(user)).every((status) => status === 200));
    expect((await call('POST', '/auth/logout', { bearer: user.envelope })).status).toBe(200);
    expect(await checks(user)).toEqual(all(401));
  });
});
