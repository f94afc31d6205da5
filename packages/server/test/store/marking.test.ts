/** Rows that a cut has ended say so afterwards: all of them, in batches, and no others. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { type CutTarget, cut } from '../../src/store/revoke-scope.ts';
import { markEnded } from '../../src/store/marking.ts';
import { markExpired } from '../../src/store/session-upkeep.ts';
import { backends, openStore } from '../support.ts';

const EACH = 130;
const now = new Date();
const act = { at: now, actor: 'user:1', contract: 'v1', ipAddress: null, userAgent: '', requestId: null };

describe.each(backends())('marking, %s', (backend) => {
  let database: Database;
  const query = async (text: string, values: unknown[] = []) => (await database.query({ text, values })).rows;

  beforeEach(async () => {
    if (!database) {
      database = await openStore(backend);
      await query(
        `insert into users (email, created_at) select 'u' || i || '@example.com', now() from generate_series(1, 3) i`,
      );
    }
    await query('truncate user_sessions, cuts, tokens');
    await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at)
       select gen_random_uuid(), 1 + i % 3, case when i % 2 = 0 then 'even' else 'odd' end, 'd' || i % 5, 'v1',
         nextval('positions'), now(), now(), 600, now() + interval '1 hour', now() + interval '1 day'
       from generate_series(0, $1::int - 1) i`,
      [3 * EACH],
    );
  });
  afterAll(() => database?.close());

  const count = async (where: string): Promise<number> =>
    (await query(`select count(*) as count from user_sessions where ${where}`))[0].count;

  const targets: [string, CutTarget, string][] = [
    ['a user', { scope: 'user', userId: 2 }, 'user_id = 2'],
    ['a list of users', { scope: 'users', userIds: [1, 3] }, 'user_id in (1, 3)'],
    ['an application', { scope: 'client', clientId: 'odd' }, `client_id = 'odd'`],
    ['everyone', { scope: 'everyone' }, 'true'],
  ];
  test.each(targets)(
    '%s, more than a hundred: over at once, marked in batches, no others',
    async (_name, target, whom) => {
      const born = await query(`select max(born) as last from user_sessions`);
      const ending = await cut(database, target, act, 'admin_logout');
      expect(ending).toMatchObject({ ended: [], more: true });
      if ('userId' in target || 'userIds' in target) expect(ending.count).toBe(await count(whom));
      expect(ending.event.position).toBeGreaterThan(born[0].last);
      expect(await query(`select 1 from open_sessions where ${whom}`)).toEqual([]);
      expect(await count(`${whom} and is_active`)).toBe(await count(whom));

      await markEnded(database, [ending.event], 50);
      expect(await count(`${whom} and is_active`)).toBe(0);
      expect(await count(`not (${whom}) and not is_active`)).toBe(0);
      expect(await count(`not is_active and ended_reason = 'admin_logout' and ended_by = 'user:1'`)).toBe(
        await count(whom),
      );
    },
  );

  test('others: the caller’s session is neither ended nor marked', async () => {
    const [spared] = await query('select id from user_sessions where user_id = 1 order by born limit 1');
    const ending = await cut(
      database,
      { scope: 'others', userId: 1, exceptSession: spared.id },
      act,
      'logout',
    );
    await markEnded(database, [ending.event], 50);
    expect(await query('select id from user_sessions where user_id = 1 and is_active')).toEqual([spared]);
    expect(await query('select id from open_sessions where user_id = 1')).toEqual([spared]);
  });

  test('a device of one user: few rows, marked at once', async () => {
    const ending = await cut(database, { scope: 'device', userId: 1, deviceId: 'd0' }, act, 'logout');
    const whom = `user_id = 1 and device_id = 'd0'`;
    expect(ending.ended).toHaveLength(await count(whom));
    expect(await count(`not (${whom}) and not is_active`)).toBe(0);
    expect(await count(`${whom} and is_active`)).toBe(0);
  });

  test('a session that began after the cut is spared by the later marking', async () => {
    const ending = await cut(database, { scope: 'user', userId: 2 }, act, 'logout');
    const [later] = await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at)
       values (gen_random_uuid(), 2, 'odd', 'd', 'v1', nextval('positions'), now(), now(), 600,
         now() + interval '1 hour', now() + interval '1 day') returning id`,
    );
    await markEnded(database, [ending.event], 50);
    expect(await query('select id from user_sessions where user_id = 2 and is_active')).toEqual([later]);
    expect(await query('select id from open_sessions where user_id = 2')).toEqual([later]);
  });

  test('a burst of cuts of single users and devices takes a few statements, and the first cut dates an end', async () => {
    const users = 150;
    await query(
      `insert into users (id, email, created_at) select 1000 + i, 'burst' || i || '@example.com', now()
       from generate_series(1, $1::int) i on conflict do nothing`,
      [users],
    );
    await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at)
       select gen_random_uuid(), 1000 + i, 'even', 'd' || d, 'v1', nextval('positions'), now(), now(), 600,
         now() + interval '1 hour', now() + interval '1 day'
       from generate_series(1, $1::int) i, generate_series(1, 2) d`,
      [users],
    );
    const position = (): Promise<number> =>
      query(`select nextval('positions') as position`).then(([row]) => row.position);
    const event = async (scope: 'user' | 'device', userId: number, actor: string) => ({
      ...(await cut(database, { scope: 'user', userId: 3 }, act, 'logout')).event,
      position: await position(),
      scope,
      user_id: userId,
      user_ids: null,
      device_id: scope === 'device' ? 'd1' : null,
      actor,
    });
    const events = [];
    for (let i = 1; i <= users; i++) {
      events.push(await event('device', 1000 + i, 'first'));
      if (i % 2 === 0) events.push(await event('user', 1000 + i, 'second'));
    }
    const names: string[] = [];
    const watched: Database = {
      ...database,
      query: (config) => {
        names.push(config.name ?? '');
        return database.query(config);
      },
    };
    await markEnded(watched, events, 50);
    expect(names).toEqual(['mark_cuts_of_users', 'mark_cuts_of_users']);
    expect(await count(`user_id > 1000 and device_id = 'd1' and ended_by = 'first'`)).toBe(users);
    expect(await count(`user_id > 1000 and device_id = 'd2' and ended_by = 'second'`)).toBe(users / 2);
    expect(await count(`user_id > 1000 and is_active`)).toBe(users / 2);
  });

  test('of two cuts in a burst the first dates the end, also of users with many sessions', async () => {
    // Thirty of each user, the last five of them on a device of their own.
    await query(
      `insert into users (id, email, created_at) select 2000 + i, 'crowd' || i || '@example.com', now()
       from generate_series(1, 9) i on conflict do nothing`,
    );
    await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at)
       select gen_random_uuid(), 2000 + i, 'even', case when n > 25 then 'last' else 'd' || n end, 'v1',
         nextval('positions'), now(), now(), 600, now() + interval '1 hour', now() + interval '1 day'
       from generate_series(1, 30) n, generate_series(1, 9) i`,
    );
    const cuts: [CutTarget, string][] = [];
    for (let userId = 2001; userId <= 2009; userId++)
      cuts.push(
        [{ scope: 'device', userId, deviceId: 'd3' }, 'before'],
        [{ scope: 'user', userId }, 'first'],
        [{ scope: 'user', userId }, 'second'],
        [{ scope: 'device', userId, deviceId: 'last' }, 'third'],
      );
    const events = [];
    for (const [target, actor] of cuts)
      events.push((await cut(database, target, { ...act, actor }, 'logout')).event);
    // As if none were marked yet.
    await query(
      `update user_sessions set is_active = true, ended_at = null, ended_by = null, ended_reason = null
       where user_id > 2000`,
    );
    await markEnded(database, events, 7);
    expect(
      await query(
        'select ended_by, count(*) as count from user_sessions where user_id > 2000 group by 1 order by 1',
      ),
    ).toEqual([
      { ended_by: 'before', count: 9 },
      { ended_by: 'first', count: 9 * 29 },
    ]);
  });

  test('of a cut of a user and one of an application in a burst the first dates the end', async () => {
    await query(
      `insert into users (id, email, created_at) select 1900 + i, 'mixed' || i || '@example.com', now()
       from generate_series(1, 3) i on conflict do nothing`,
    );
    await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at)
       select gen_random_uuid(), 1900 + i, 'burst', 'd', 'v1', nextval('positions'), now(), now(), 600,
         now() + interval '1 hour', now() + interval '1 day'
       from generate_series(1, 3) i`,
    );
    const events = [];
    for (const [target, actor] of [
      [{ scope: 'user', userId: 1901 }, 'first'],
      [{ scope: 'client', clientId: 'burst' }, 'second'],
      [{ scope: 'user', userId: 1902 }, 'third'],
    ] as [CutTarget, string][])
      events.push((await cut(database, target, { ...act, actor }, 'logout')).event);
    // As if none were marked yet.
    await query(
      `update user_sessions set is_active = true, ended_at = null, ended_by = null, ended_reason = null
       where client_id = 'burst'`,
    );
    await markEnded(database, events, 50);
    expect(
      await query(`select user_id, ended_by from user_sessions where client_id = 'burst' order by user_id`),
    ).toEqual([
      { user_id: 1901, ended_by: 'first' },
      { user_id: 1902, ended_by: 'second' },
      { user_id: 1903, ended_by: 'second' },
    ]);
  });

  test('a session that a cut has ended is never marked as expired, however late it is marked', async () => {
    const ending = await cut(database, { scope: 'user', userId: 2 }, act, 'admin_logout');
    const muchLater = new Date(now.getTime() + 2 * 24 * 3_600_000);
    expect(await markExpired(database, muchLater, 1000)).toHaveLength(2 * EACH);
    await markEnded(database, [ending.event], 50);
    expect(
      await query('select user_id, ended_reason as why from user_sessions group by 1, 2 order by 1'),
    ).toEqual([
      { user_id: 1, why: 'absolute_timeout' },
      { user_id: 2, why: 'admin_logout' },
      { user_id: 3, why: 'absolute_timeout' },
    ]);
  });
});
