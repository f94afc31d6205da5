/**
 * A transaction that stays open, in any database of the server, costs the readers of the log nothing: events that they have are
 * not read again, however many. Work is counted, not timed. PostgreSQL only, and a separate one.
 */
import { randomUUID } from 'node:crypto';
import { readCursor } from '@curfew/protocol/log-cursor';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { markerPass } from '../../src/cluster/follow/marker.ts';
import type { Database } from '../../src/store/database.ts';
import { cursorNow, cursorSince, readerCursor } from '../../src/store/log/cursors.ts';
import { readEndings, readOn } from '../../src/store/log/follow.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { cut } from '../../src/store/revoke-scope.ts';
import { everyStatement } from '../../src/store/statement.ts';
import { endingsPass, writeAuditRows } from '../services/passes.ts';
import { createDatabase, findPostgres, type PostgresServer, startPostgres } from '../services/postgres.ts';
import { migrated, silent } from '../support.ts';

const MANY = 3000;
/** Pages of the database's memory that a read may touch when there is next to nothing new. */
const FEW_BLOCKS = 40;

describe.skipIf(findPostgres() === undefined)('while a transaction is open in another database', () => {
  let postgres: PostgresServer;
  let database: Database;
  let stranger: pg.Client;
  /** Rows of events that each read was given, and names of all statements. */
  let rows: number[] = [];
  let statements: string[] = [];

  beforeAll(async () => {
    postgres = await startPostgres();
    const url = await createDatabase(postgres.url);
    await migrated.prepare(url);
    const inner = openPostgres({ url, pool: 3, statementNames: true, log: silent });
    database = {
      ...inner,
      async query(config) {
        statements.push(config.name ?? config.text);
        const result = await inner.query(config);
        if (config.name?.startsWith('next_'))
          rows.push(result.rows.filter((row: { position: unknown }) => row.position !== null).length);
        return result;
      },
    };
    await readers.plain();
    await readers.marker();
    await writeAuditRows(database);
    stranger = new pg.Client({ connectionString: await createDatabase(postgres.url) });
    await stranger.connect();
    await stranger.query('begin');
    await stranger.query('select pg_current_xact_id()');
  });
  afterAll(async () => {
    await stranger.end();
    await database.close();
    await postgres.stop();
  });

  const readers = {
    plain: () => endingsPass(database, 'plain', async () => undefined)(),
    marker: (): Promise<void> => marker(),
  };
  let marker: () => Promise<void> = () => {
    marker = markerPass(database);
    return marker();
  };

  /** Each ends in its own transaction. */
  async function end(count: number): Promise<void> {
    await database.query({
      text: `do $$ begin
        for i in 1..${count} loop
          insert into events (at, type, scope, reason, session_ids, user_id, actor)
          values (now(), 'sessions_ended', 'sessions', 'logout', array['${randomUUID()}'::uuid], 1, 'user:1');
          commit;
        end loop;
      end $$`,
      values: [],
    });
  }

  async function counted(work: () => Promise<unknown>): Promise<{ rows: number; statements: string[] }> {
    [rows, statements] = [[], []];
    await work();
    return { rows: rows.reduce((sum, count) => sum + count, 0), statements };
  }

  /** How many blocks the statement touches when it reads on from a cursor. */
  async function blocksOf(name: string, cursor: string, wants = ''): Promise<number> {
    const { next, open } = readCursor(cursor);
    const text = everyStatement().find((one) => one.name === name)?.text;
    return database.transaction(async (on) => {
      const ask = (sql: string) => on.query({ text: sql, values: [] });
      await ask(`prepare asked as ${text}`);
      const { rows: plan } = await ask(
        `explain (analyze, buffers, format json) execute asked('${next}', '{${[...open.keys()].join(',')}}', '{${[...open.values()].join(',')}}', '{}', 5000, null, '-'${wants})`,
      );
      await ask('deallocate asked');
      const [{ Plan }] = plan[0]['QUERY PLAN'];
      return Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks'];
    });
  }

  test('a node, a stream and each durable reader get only new events', async () => {
    const start = await cursorNow(database);
    let node = await cursorSince(database, new Date(Date.now() - 60_000));
    let stream = start;
    const readAll = async (): Promise<void> => {
      for (let more = true; more; ) ({ cursor: node, more } = await readEndings(database, node, 1000));
      for (let more = true; more; ) ({ cursor: stream, more } = await readOn(database, stream, 1000));
      await readers.plain();
      await readers.marker();
      await writeAuditRows(database);
    };
    await end(MANY);
    expect((await counted(readAll)).rows).toBe(5 * MANY);
    // The stranger's transaction, and no event twice.
    expect([node.length, stream.length].every((length) => length < 40)).toBe(true);
    expect((await counted(readAll)).rows).toBe(0);
    await end(2);
    expect((await counted(readAll)).rows).toBe(10);
    expect(await blocksOf('next_endings', node)).toBeLessThan(FEW_BLOCKS);
    expect(await blocksOf('next_events', stream)).toBeLessThan(FEW_BLOCKS);
    expect(await blocksOf('next_positions', node, `, '{sessions_ended}'`)).toBeLessThan(FEW_BLOCKS);
    // Not tried again, and put off by the index.
    const { rows: sequence } = await database.query({
      text: `select last_value - (select count(*) from logs) as burnt from pg_sequences
        where sequencename = 'logs_id_seq'`,
      values: [],
    });
    expect(Number(sequence[0]?.['burnt'])).toBe(0);
  });

  const act = () => ({
    at: new Date(),
    actor: 'user:1',
    contract: 'v1',
    ipAddress: null,
    userAgent: '',
    requestId: null,
  });
  /** How often a pass marks. */
  const marks = async (): Promise<number> =>
    (await counted(readers.marker)).statements.filter((name) => name.startsWith('mark_cut')).length;
  /** The transaction of the newest event. */
  const latest = async (): Promise<number> => {
    const text = 'select xid::text::bigint as xid from events order by position desc limit 1';
    return Number((await database.query({ text, values: [] })).rows[0]?.['xid']);
  };
  /** Where the marker of another process would begin. */
  const begins = async (): Promise<number> => Number((await readerCursor(database, 'marker')).below);

  test('a cut is marked once, and once more when the transactions open beside it are over', async () => {
    const { rows: users } = await database.query({
      text: `insert into users (email, created_at) values ('marked@example.com', now()) returning id`,
      values: [],
    });
    const userId = Number(users[0]?.['id']);
    await cut(database, { scope: 'user', userId }, act(), 'admin_logout');
    expect(await marks()).toBe(1);
    expect([await marks(), await marks()]).toEqual([0, 0]);
    const cutAt = await latest();
    expect(await begins()).toBeLessThan(cutAt);
    await stranger.query('commit');
    expect([await marks(), await marks()]).toEqual([1, 0]);
    expect(await begins()).toBeGreaterThan(cutAt);
  });

  test('a cut is marked again, by this process or the next, after a transaction that began during the cut’s', async () => {
    await database.transaction(async (on) => {
      await on.query({ text: 'select pg_current_xact_id()', values: [] });
      await stranger.query('begin');
      await stranger.query('select pg_current_xact_id()');
      await cut(on, { scope: 'everyone' }, act(), 'admin_logout');
    });
    expect(await marks()).toBe(1);
    expect(await begins()).toBe(await latest());
    await stranger.query('commit');
    expect([await marks(), await marks()]).toEqual([1, 0]);
    expect(await begins()).toBeGreaterThan(await latest());
  });

  test('a burst of cuts is read in few pages, each event once, and its rows are marked many at a time', async () => {
    const burst = 12_000;
    await stranger.query('begin');
    await stranger.query('select pg_current_xact_id()');
    let node = await cursorNow(database);
    await readers.marker();
    await database.query({
      text: `with made as (
           insert into users (email, created_at) select 'burst' || i || '@example.com', now() from generate_series(1, $1::int) i returning id
         ), opened as (
           insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at, idle_seconds,
             idle_expires_at, expires_at)
           select gen_random_uuid(), id, 'desk', 'd', 'v1', nextval('positions'), now(), now(), 600, now() + interval '1 hour',
             now() + interval '1 day' from made
         )
         select max(id) from made`,
      values: [burst],
    });
    // A transaction each, as logouts are.
    await database.query({
      text: `do $$ declare who bigint; begin
        for who in select id from users where email like 'burst%' loop
          with e as (
            insert into events (at, type, scope, reason, user_id, actor)
            values (now(), 'sessions_ended', 'user', 'logout', who, 'user:' || who) returning position
          )
          insert into cuts (key, position, base) select 'user:' || who, position, position from e;
          commit;
        end loop;
      end $$`,
      values: [],
    });
    const read = await counted(async () => {
      for (let more = true; more; ) ({ cursor: node, more } = await readEndings(database, node, 5000));
    });
    expect(read).toEqual({ rows: burst, statements: Array.from({ length: 3 }, () => 'next_endings') });
    const marked = await counted(readers.marker);
    expect(marked.rows).toBe(burst);
    expect(marked.statements.length).toBeLessThan(burst / 100);
    const { rows: left } = await database.query({
      text: `select count(*) as count from user_sessions where is_active and client_id = 'desk'`,
      values: [],
    });
    expect(left).toEqual([{ count: 0 }]);
  });
});
