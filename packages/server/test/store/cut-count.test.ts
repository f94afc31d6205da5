/** How many sessions a cut says that it ends, of a user with more than it marks itself: those that an earlier cut has ended are not among them. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { markEnded } from '../../src/store/marking.ts';
import { type CutTarget, cut } from '../../src/store/revoke-scope.ts';
import { backends, openStore } from '../support.ts';

const ACT = {
  at: new Date(),
  actor: 'service',
  contract: 'v1',
  ipAddress: null,
  userAgent: '',
  requestId: null,
};
const LOGIN = '0199c0de-0000-7000-8000-000000000001';

describe.each(backends())('of 360 sessions, %s', (backend) => {
  let database: Database;
  const query = (text: string) => database.query({ text, values: [] });
  beforeEach(async () => {
    if (!database) {
      database = await openStore(backend);
      await query(
        `insert into users (email, created_at) values ('ada@example.com', now()), ('bob@example.com', now())`,
      );
    }
    await query('truncate user_sessions, cuts, tokens, events');
    await query(`insert into readers (name, cursor) values ('marker', pg_snapshot_xmax(pg_current_snapshot()))
      on conflict (name) do update set cursor = excluded.cursor`);
    await query(`insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at, idle_seconds,
        idle_expires_at, expires_at)
      select case when i = 1 then '${LOGIN}'::uuid else gen_random_uuid() end,
        case when i > 360 then 2 else 1 end, (array['shop', 'pages', 'mail'])[1 + i % 3], 'd' || i % 2, 'v1', nextval('positions'),
        now(), now(), 600, now() + interval '1 hour', now() + interval '1 day'
      from generate_series(1, 370) i`);
    // Ten have expired, and their rows are not marked.
    await query(`update user_sessions set idle_expires_at = now() - interval '1 hour' where id in (
      select id from user_sessions where user_id = 1 and id <> '${LOGIN}' order by born desc limit 10)`);
  });
  afterAll(() => database?.close());

  const alive = async (): Promise<number> =>
    (await query(`select id from open_sessions where user_id = 1 and idle_expires_at > now()`)).rows.length;
  const ALL: CutTarget = { scope: 'user', userId: 1 };

  test.each<[string, CutTarget | null]>([
    ['no other', null],
    ['a cut of another user', { scope: 'user', userId: 2 }],
    ['a cut of other users', { scope: 'users', userIds: [2] }],
    ['a cut of another user’s client', { scope: 'grant', userId: 2, clientId: 'shop' }],
    ['a cut of the user', ALL],
    ['a cut of users', { scope: 'users', userIds: [2, 1] }],
    ['a cut that spares one', { scope: 'others', userId: 1, exceptSession: LOGIN }],
    ['a cut of a device', { scope: 'device', userId: 1, deviceId: 'd1' }],
    ['a cut of a client', { scope: 'client', clientId: 'shop' }],
    ['a cut of the user’s client', { scope: 'grant', userId: 1, clientId: 'mail' }],
    ['a cut of a login', { scope: 'login', login: LOGIN }],
    ['a cut of a tenant', { scope: 'tenant', tenant: 'default' }],
    ['a cut of everyone', { scope: 'everyone' }],
  ])('%s before it: it counts those that are left, marked or not', async (_what, before) => {
    const earlier = before && (await cut(database, before, ACT, 'logout'));
    const left = await alive();
    if (before === null) expect(left).toBe(350);
    const count = async (): Promise<number> => {
      const back = new Error('rolled back');
      let counted = -1;
      const done = database.transaction(async (on) => {
        counted = (await cut(on, ALL, ACT, 'logout')).count;
        throw back;
      });
      await expect(done).rejects.toThrow(back);
      return counted;
    };
    expect(await count()).toBe(left);
    if (earlier === null) return;
    await markEnded(database, [earlier.event], 1000);
    await query(`update readers set cursor = pg_snapshot_xmax(pg_current_snapshot()) where name = 'marker'`);
    expect([await alive(), await count()]).toEqual([left, left]);
  });

  test.each<[string, CutTarget | null, boolean]>([
    ['no other', null, false],
    ['one of another user', { scope: 'user', userId: 2 }, false],
    ['one of the user’s device', { scope: 'device', userId: 1, deviceId: 'd1' }, true],
  ])(
    'beside %s, each of them is looked up among the cuts only where it must be',
    async (_what, before, must) => {
      if (before) await cut(database, before, ACT, 'logout');
      const back = new Error('rolled back');
      let lookups = 0;
      const done = database.transaction(async (on) => {
        const text = `select (idx_scan + seq_scan)::int as n from pg_stat_xact_user_tables where relname = 'cuts'`;
        const scans = async (): Promise<number> =>
          (await on.query({ text, values: [] })).rows[0]?.['n'] as number;
        const first = await scans();
        await cut(on, ALL, ACT, 'logout');
        lookups = (await scans()) - first;
        throw back;
      });
      await expect(done).rejects.toThrow(back);
      expect(lookups > 300).toBe(must);
      if (!must) expect(lookups).toBeLessThan(10);
    },
  );
});
