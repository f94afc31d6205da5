/** How the command line watches the rows of a large logout being marked. PostgreSQL, because another transaction locks rows. */
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { marker } from '../../src/cluster/follow/marker.ts';
import { Readers } from '../../src/cluster/follow/registry.ts';
import { watchMarking } from '../../src/cluster/follow/watch-marking.ts';
import { readConfig } from '../../src/config.ts';
import type { Database } from '../../src/store/database.ts';
import { cut } from '../../src/store/revoke-scope.ts';
import { realSystem } from '../../src/system/real.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import {
  type HandClock,
  openHandClock,
  passUntil,
  passWhile,
  timeOf,
  waitFor,
} from '../services/hand-clock.ts';
import { hold } from '../services/held-database.ts';
import { cheap, migrated, openStore, silent } from '../support.ts';

const TARGET = { scope: 'client', clientId: 'shop' } as const;
/** The ending itself counts and marks none of an application's rows beyond a hundred. */
const SESSIONS = 150;

describe.runIf(hasPostgres())('the marking of a large logout', () => {
  let database: Database;
  let clock: HandClock;
  let readers: Readers;
  let holder: pg.Client;
  /** The numbers that were reported. */
  let seen: number[];
  const query = (text: string) => database.query({ text, values: [] });

  beforeEach(async () => {
    const url = await freshDatabase(migrated);
    database = await openStore('postgres', url);
    holder = new pg.Client({ connectionString: url });
    await holder.connect();
    clock = openHandClock();
    seen = [];
    await query(`insert into users (email, created_at) values ('ada@example.com', now())`);
    await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at)
       select gen_random_uuid(), 1, 'shop', 'd' || i, 'v1', nextval('positions'), now(), now(), 600,
         now() + interval '1 hour', now() + interval '1 day' from generate_series(1, ${SESSIONS}) i`,
    );
    const system = { ...realSystem(silent, cheap), ...timeOf(clock) };
    readers = new Readers([marker], {
      database,
      system,
      config: readConfig({}),
      redis: null,
      notices: {} as never,
    });
    await readers.catchUp(marker);
    waitFor(database);
  });
  afterEach(async () => {
    await holder.end();
    await readers.close();
    await database.close();
  });

  const lockRows = async (count: number): Promise<void> => {
    await holder.query('begin');
    await holder.query(`select 1 from user_sessions order by born limit ${count} for update`);
  };
  const end = async (): Promise<void> => {
    const at = new Date();
    const act = { at, actor: 'user:1', contract: 'v1', ipAddress: null, userAgent: '', requestId: null };
    await cut(database, TARGET, act, 'admin_logout');
  };
  const unmarked = async (): Promise<number> =>
    Number((await query('select count(*) as count from user_sessions where is_active')).rows[0]?.['count']);
  const watch = (): Promise<void> => {
    const system = { ...realSystem(silent, cheap), ...timeOf(clock) };
    return watchMarking({ database, system, readers }, TARGET, (left) => void seen.push(left));
  };

  test('is reported as it goes on, each number once, until no row is left', async () => {
    await lockRows(3);
    await end();
    const before = await unmarked();
    const watching = watch();
    await passUntil(clock, 'the others are marked', () => seen.at(-1) === 3);
    await holder.query('commit');
    await passWhile(clock, watching);
    expect(seen).toEqual([before, 3, 0]);
    expect(await unmarked()).toBe(0);
  });

  test('is not waited for where nothing is left', async () => {
    await watch();
    expect(seen).toEqual([0]);
  });

  test('is given up when no row was marked for ten seconds, but not while this process marks', async () => {
    await lockRows(3);
    await end();
    const held = hold(database, 'mark_cut_client', 'before');
    const watching = watch();
    await held.reached;
    const [before] = seen;
    const beganMs = clock.monotonicMs;
    let over = false;
    const noted = watching.then(() => (over = true));
    await passWhile(clock, noted, () => {
      if (clock.monotonicMs - beganMs < 12_000) expect(over).toBe(false);
      else held.release();
    });
    expect(seen).toEqual([before, 3]);
    expect(clock.monotonicMs - beganMs).toBeGreaterThanOrEqual(22_000);
    await holder.query('commit');
  });

  test('fails when its reader fails', async () => {
    await lockRows(3);
    await end();
    await query('alter table readers rename to away');
    await expect(passWhile(clock, watch())).rejects.toThrow('readers');
    expect(seen).toHaveLength(1);
    await query('alter table away rename to readers');
  });
});
