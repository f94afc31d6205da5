/** The old end of the log and of the audit view: purged in slices, except events that a reader has not processed. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, inspectSettings } from '../../src/config.ts';
import type { Database } from '../../src/store/database.ts';
import { cursorNow, readerCursor } from '../../src/store/log/cursors.ts';
import { readEndings } from '../../src/store/log/follow.ts';
import { EVERY_EVENT, readEvents } from '../../src/store/log/page.ts';
import { purgeOld, readersHolding } from '../../src/store/purge.ts';
import { writeAuditRows } from '../services/passes.ts';
import { type PostgresServer, startPostgres } from '../services/postgres.ts';
import { backends, migrated, openStore } from '../support.ts';
import { openHousekeeping } from './housekeeper.ts';

const DAY = 86_400_000;
const now = new Date();
const ago = (days: number): Date => new Date(now.getTime() - days * DAY);

describe.each(backends())('the old end of the log, %s', (backend) => {
  let database: Database;
  let postgres: PostgresServer | undefined;
  let statements: string[] = [];
  const query = async (text: string, values: unknown[] = []) => (await database.query({ text, values })).rows;
  beforeEach(async () => {
    if (!database) {
      // A separate server: an open transaction in any database of a server keeps the old end in all of them.
      if (backend === 'postgres') {
        postgres = await startPostgres();
        await migrated.prepare(postgres.url);
      }
      const inner = await openStore(backend, postgres?.url);
      database = {
        ...inner,
        query: (config) => {
          statements.push(config.name ?? '');
          return inner.query(config);
        },
      };
    }
    await query('truncate events, logs, readers');
  });
  afterAll(async () => {
    await database?.close();
    await postgres?.stop();
  });

  const append = async (at: Date, count: number): Promise<void> => {
    for (let i = 0; i < count; i++)
      await query(
        `insert into events (at, type, scope, reason, user_id, session_ids, actor)
         values ($1, 'sessions_ended', 'sessions', 'logout', 1, array[gen_random_uuid()], 'user:1')`,
        [at],
      );
  };
  const left = async (table: 'events' | 'logs' | 'user_sessions'): Promise<number> =>
    (await query(`select count(*)::int as count from ${table}`))[0].count;

  test('is deleted in slices, and recent rows stay', async () => {
    await append(ago(500), 7);
    await append(ago(10), 4);
    await writeAuditRows(database);
    statements = [];
    expect(await purgeOld(database, 'events', ago(400), 3)).toBe(7);
    // 3, 3, and the seventh with two that are young; then a slice in which nothing is old.
    expect(statements.filter((name) => name === 'purge_events')).toHaveLength(4);
    expect(await purgeOld(database, 'logs', ago(400), 3)).toBe(7);
    expect([await left('events'), await left('logs')]).toEqual([4, 4]);
  });

  test('a sweep is bounded, and the next one continues', async () => {
    await append(ago(500), 8);
    await append(now, 1);
    await writeAuditRows(database);
    expect(await purgeOld(database, 'events', ago(400), 2, 2)).toBe(4);
    expect(await left('events')).toBe(5);
    expect(await purgeOld(database, 'events', ago(400), 2, 10)).toBe(4);
  });

  test('stays for the slowest reader, which is named', async () => {
    await append(ago(500), 3);
    await writeAuditRows(database);
    // It begins now, and deals with nothing.
    await readerCursor(database, 'slow');
    await append(ago(450), 2);
    await append(now, 1);
    await writeAuditRows(database);
    expect(await purgeOld(database, 'events', ago(400))).toBe(3);
    expect(await left('events')).toBe(3);
    expect(await readersHolding(database, ago(400))).toEqual(['slow']);
    await query(`delete from readers where name = 'slow'`);
    expect(await purgeOld(database, 'events', ago(400))).toBe(2);
    expect(await readersHolding(database, ago(400))).toEqual([]);
  });

  test('readers and histories continue after a purge', async () => {
    await append(ago(500), 3);
    const cursor = await cursorNow(database);
    await writeAuditRows(database);
    await append(ago(450), 1);
    await writeAuditRows(database);
    await purgeOld(database, 'events', ago(400));
    // The newest one stays: a node knows its database again by it.
    expect(await left('events')).toBe(1);
    await append(now, 2);
    await writeAuditRows(database);
    await purgeOld(database, 'events', ago(400));
    const { events, cursor: end } = await readEndings(database, cursor, 10);
    expect(events).toHaveLength(2);
    expect((await readEndings(database, end, 10)).events).toEqual([]);
    const history = await readEvents(
      database,
      { ...EVERY_EVENT, userId: 1 },
      { before: null, after: null },
      10,
    );
    expect(history).toHaveLength(2);
  });

  const housekeeping = () => openHousekeeping(database, now, 50);

  test('housekeeping purges', async () => {
    await append(ago(500), 2);
    await append(ago(100), 1);
    await writeAuditRows(database);
    await query('insert into users (id, email, created_at) values (1, $1, now())', ['ada@example.com']);
    // More than it deletes at a time, and one that is kept for some days more.
    await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at, is_active, ended_at, ended_by, ended_reason)
       select gen_random_uuid(), 1, 'default', 'd', 'v1', nextval('positions'), at, at, 600, at, at, false, at, 'system',
         'absolute_timeout'
       from (select case i when 1 then $2::timestamptz else $1 end as at from generate_series(1, 502) i) ended`,
      [ago(91), ago(89)],
    );
    await housekeeping().house.sweep();
    expect([await left('events'), await left('logs'), await left('user_sessions')]).toEqual([1, 0, 1]);
  });

  test('housekeeping says once which reader keeps the log, a day after it should be purged', async () => {
    await readerCursor(database, 'slow');
    await append(ago(400.5), 1);
    await append(now, 1);
    const { house, lines } = housekeeping();
    await house.sweep();
    expect([await left('events'), lines]).toEqual([2, []]);
    await query('update events set at = $1 where at < $2', [ago(401.5), ago(1)]);
    await house.sweep();
    await house.sweep();
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        level: 'warn',
        readers: ['slow'],
        msg: 'the log is not purged: these readers have not processed its oldest events',
      },
    ]);
  });
});

test('a retention below a session’s life is refused, with advice', () => {
  const { faults } = inspectSettings({
    CURFEW_EVENTS_RETENTION_DAYS: '20',
    CURFEW_AUDIT_RETENTION_DAYS: '31',
    CURFEW_ABSOLUTE_SECONDS: String(30 * 86_400),
  });
  expect(faults).toEqual([expect.any(ConfigError)]);
  expect(faults[0]?.message).toContain('CURFEW_EVENTS_RETENTION_DAYS');
  expect(faults[0]?.message).toContain('may live for 30 days');
  expect(inspectSettings({}).faults).toEqual([]);
});
