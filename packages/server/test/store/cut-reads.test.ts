/** What a cut looks at: the sessions that it ends, and not those of others. Counted in rows, not in time. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { type CutTarget, cut } from '../../src/store/revoke-scope.ts';
import { backends, openStore } from '../support.ts';

const NOW = new Date();
const ACT = { at: NOW, actor: 'service', contract: 'v1', ipAddress: null, userAgent: '', requestId: null };
const LOGIN = '0199c0de-0000-7000-8000-000000000001';
const OTHERS = 3000;

describe.each(backends())('a cut, %s', (backend) => {
  let database: Database;
  beforeAll(async () => {
    database = await openStore(backend);
    const query = (text: string) => database.query({ text, values: [] });
    await query(
      `insert into users (email, created_at) select 'user' || i || '@example.com', now() from generate_series(1, 3100) i`,
    );
    const insert = (ids: string, user: string, device: string, count: number) =>
      query(`insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at, idle_seconds,
          idle_expires_at, expires_at)
        select ${ids}, ${user}, 'shop', ${device}, 'v1', nextval('positions'), now(), now(), 600, now() + interval '1 hour', now() + interval '1 day'
        from generate_series(1, ${count}) i`);
    await insert('gen_random_uuid()', '1 + i', `'d'`, OTHERS);
    await insert('gen_random_uuid()', '1', `'d' || i`, 5);
    await insert(`'${LOGIN}'::uuid`, '1', `'mine'`, 1);
    await query('analyze user_sessions');
  });
  afterAll(() => database?.close());

  test.each<CutTarget>([
    { scope: 'user', userId: 1 },
    { scope: 'others', userId: 1, exceptSession: LOGIN },
    { scope: 'device', userId: 1, deviceId: 'mine' },
    { scope: 'users', userIds: [1] },
    { scope: 'grant', userId: 1, clientId: 'shop' },
    { scope: 'login', login: LOGIN },
  ])('reads few rows beside the sessions of others: %o', async (target) => {
    const back = new Error('rolled back, for the next one');
    let read = 0;
    const done = database.transaction(async (on) => {
      const rows = async (): Promise<number> =>
        (
          await on.query({
            text: `select (seq_tup_read + idx_tup_fetch)::int as read from pg_stat_xact_user_tables where relname = 'user_sessions'`,
            values: [],
          })
        ).rows[0]?.['read'] as number;
      const before = await rows();
      const { ended } = await cut(on, target, ACT, 'logout');
      read = (await rows()) - before;
      expect(ended.length).toBeGreaterThan(0);
      throw back;
    });
    await expect(done).rejects.toThrow(back);
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(100);
  });
});
