/** Cuts are purged when they can end no session any more, and not before. */
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { markerPass } from '../../src/cluster/follow/marker.ts';
import type { Database } from '../../src/store/database.ts';
import { readerCursor } from '../../src/store/log/cursors.ts';
import { purgeCuts, purgeOld } from '../../src/store/purge.ts';
import { type CutTarget, cut } from '../../src/store/revoke-scope.ts';
import { hold } from '../services/held-database.ts';
import { type PostgresServer, startPostgres, withClient } from '../services/postgres.ts';
import { backends, migrated, openStore } from '../support.ts';
import { openHousekeeping } from './housekeeper.ts';

const DAY = 86_400_000;
const now = new Date();
const ago = (days: number): Date => new Date(now.getTime() - days * DAY);
const NONE = '00000000-0000-0000-0000-000000000000';

describe.each(backends())('a cut, %s', (backend) => {
  let database: Database;
  let postgres: PostgresServer | undefined;
  let mark: () => Promise<void>;
  const query = async (text: string, values: unknown[] = []) => (await database.query({ text, values })).rows;
  beforeEach(async () => {
    if (!database) {
      // A separate server: an open transaction in any database of a server keeps the old end in all of them.
      if (backend === 'postgres') {
        postgres = await startPostgres();
        await migrated.prepare(postgres.url);
      }
      database = await openStore(backend, postgres?.url);
      await query(
        `insert into users (email, created_at) select 'u' || i || '@example.com', now() from generate_series(1, 3) i`,
      );
    }
    await query('truncate user_sessions, cuts, tokens, events, readers');
    await readerCursor(database, 'marker');
    mark = markerPass(database);
  });
  afterAll(async () => {
    await database?.close();
    await postgres?.stop();
  });

  const begin = async (userId: number, clientId: string): Promise<string> => {
    const rows = await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at, idle_seconds,
         idle_expires_at, expires_at)
       values (gen_random_uuid(), $1, $2, 'd', 'v1', nextval('positions'), now(), now(), 600, now() + interval '1 hour',
         now() + interval '1 day') returning id`,
      [userId, clientId],
    );
    return rows[0].id;
  };
  const end = (at: Date, target: CutTarget, on: Database = database) =>
    cut(
      on,
      target,
      { at, actor: 'operator', contract: 'v1', ipAddress: null, userAgent: '', requestId: null },
      'admin_logout',
    );
  const purgeEvents = (): Promise<number> => purgeOld(database, 'events', ago(400));
  const keys = async (): Promise<string[]> =>
    (await query('select key from cuts order by key')).map(({ key }) => key);

  test('is purged when its event is and every active session is younger', async () => {
    await begin(1, 'shop');
    await end(ago(500), { scope: 'user', userId: 1 });
    await end(ago(500), { scope: 'client', clientId: 'desk' });
    await end(ago(10), { scope: 'user', userId: 2 });
    const young = await begin(1, 'desk');
    await mark();
    await purgeCuts(database, '');
    expect(await keys()).toHaveLength(3);
    expect(await purgeEvents()).toBe(2);
    await purgeCuts(database, '');
    expect(await keys()).toEqual(['user:2']);
    expect(await query('select id from open_sessions')).toEqual([{ id: young }]);
  });

  test('stays while a session of any client that began below it is active', async () => {
    const ids = [await begin(3, 'shop'), await begin(3, 'a'), await begin(3, 'z')];
    await end(ago(500), { scope: 'user', userId: 1 });
    for (const client of ['a', 'shop', 'z']) await begin(3, client);
    await end(now, { scope: 'user', userId: 2 });
    await mark();
    await purgeEvents();
    for (const id of ids) {
      await purgeCuts(database, '');
      expect(await keys()).toEqual(['user:1', 'user:2']);
      await query('update user_sessions set is_active = false where id = $1', [id]);
    }
    await purgeCuts(database, '');
    expect(await keys()).toEqual(['user:2']);
  });

  test('stays while the marker has not processed it', async () => {
    await end(ago(500), { scope: 'user', userId: 1 });
    await end(now, { scope: 'user', userId: 2 });
    expect(await purgeEvents()).toBe(0);
    await purgeCuts(database, '');
    expect(await keys()).toEqual(['user:1', 'user:2']);
  });

  test('that stands for sessions begun through logins stays', async () => {
    await query('select child_for_all_nodes()');
    await end(now, { scope: 'user', userId: 2 });
    await purgeCuts(database, '');
    expect(await keys()).toEqual([`login:${NONE}`, 'user:2']);
  });

  test('is found in slices, and after the last one from the beginning', async () => {
    for (let userId = 1; userId <= 3; userId++) await end(ago(500), { scope: 'user', userId });
    await end(now, { scope: 'client', clientId: 'desk' });
    await mark();
    await purgeEvents();
    const first = await purgeCuts(database, '', 2);
    expect([first, await keys()]).toEqual(['user:1', ['client:desk', 'user:2', 'user:3']]);
    const second = await purgeCuts(database, first, 2);
    expect([second, await keys()]).toEqual(['user:3', ['client:desk']]);
    expect(await purgeCuts(database, second, 2)).toBe('');
  });

  test.runIf(backend === 'postgres')('that is renewed while it is purged stays', async () => {
    await end(ago(500), { scope: 'user', userId: 1 });
    await end(now, { scope: 'user', userId: 2 });
    await mark();
    await purgeEvents();
    const other = await openStore(backend, postgres?.url);
    onTestFinished(() => other.close());
    const held = hold(other, 'cut_user', 'uncommitted');
    const ending = end(now, { scope: 'user', userId: 1 }, other);
    await held.reached;
    const purging = purgeCuts(database, '');
    await withClient(postgres?.url ?? '', async (client) => {
      const waiting = `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%delete from cuts%'`;
      while ((await client.query(waiting)).rowCount === 0);
    });
    held.release();
    const { event } = await ending;
    await purging;
    expect(await query(`select position from cuts where key = 'user:1'`)).toEqual([
      { position: event.position },
    ]);
  });

  test('is purged by housekeeping', async () => {
    await end(ago(500), { scope: 'user', userId: 1 });
    await end(now, { scope: 'user', userId: 2 });
    await mark();
    const { house } = openHousekeeping(database, now);
    await house.sweep();
    expect(await keys()).toEqual(['user:2']);
  });
});
