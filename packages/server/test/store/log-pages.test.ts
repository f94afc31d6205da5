/** The log in pages: each ending once and none skipped, however late it commits and however many are in one transaction. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { cursorNow, cursorSince } from '../../src/store/log/cursors.ts';
import { readEndings } from '../../src/store/log/follow.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { writeAuditRows } from '../services/passes.ts';
import { findPostgres, type PostgresServer, startPostgres, withClient } from '../services/postgres.ts';
import { migrated, silent } from '../support.ts';

const LONG_AGO = new Date('2026-01-01T00:00:00Z');
const LATELY = new Date('2026-01-02T00:00:00Z');

// A separate PostgreSQL: an open transaction in any database of a server holds the cursors in all of them.
describe.skipIf(findPostgres() === undefined)('the log in pages', () => {
  let postgres: PostgresServer;
  let url: string;
  let database: Database;
  beforeAll(async () => {
    postgres = await startPostgres();
    ({ url } = postgres);
    await migrated.prepare(url);
    database = openPostgres({ url, pool: 2, statementNames: true, log: silent });
  });
  afterAll(async () => {
    await database.close();
    await postgres.stop();
  });

  const insert = `insert into events (at, type, scope, reason, session_ids, actor)
    select $1, 'sessions_ended', 'sessions', 'logout', array[$2::uuid], 'system' from generate_series(1, $3) returning position`;
  const append = async (at: Date, count: number): Promise<number[]> => {
    const { rows } = await database.query({
      text: insert,
      values: [at, randomUUID(), count],
    });
    return rows.map((row) => Number(row['position']));
  };

  /** Everything from a place on, page by page. */
  async function readAll(from: string, limit: number): Promise<{ positions: number[]; cursor: string }> {
    const positions: number[] = [];
    let cursor = from;
    for (;;) {
      const news = await readEndings(database, cursor, limit);
      expect(news.events.length).toBeLessThanOrEqual(limit);
      positions.push(...news.events.map((event) => event.position));
      ({ cursor } = news);
      if (!news.more) return { positions, cursor };
    }
  }

  test.each([1, 3, 4, 100])('%i at a time: each event is read once', async (limit) => {
    await append(LONG_AGO, 5);
    const expected: number[] = [];
    const cursor = await cursorNow(database);
    await withClient(url, async (slow) => {
      await slow.query('begin');
      // It has its transaction number, and its position, before all that follows.
      const { rows } = await slow.query<{ position: string }>(insert, [LATELY, randomUUID(), 2]);
      const late = rows.map((row) => Number(row.position));
      // Each in its own transaction, and some together in one, more than fit on a page.
      for (const count of [1, 1, 7, 1, 1]) expected.push(...(await append(LATELY, count)));
      const first = await readAll(cursor, limit);
      expect(first.positions.toSorted((a, b) => a - b)).toEqual(expected);
      expect((await readAll(first.cursor, limit)).positions).toEqual([]);
      await slow.query('commit');
      const second = await readAll(first.cursor, limit);
      expect(second.positions.toSorted((a, b) => a - b)).toEqual(late);
      expect((await readAll(second.cursor, limit)).positions).toEqual([]);
    });
  });

  test('a reader that begins now gets recent events, and perhaps some earlier ones', async () => {
    const since = new Date('2026-02-01T00:00:00Z');
    await append(LATELY, 3);
    const [lately] = await append(since, 1);
    const last = await append(LONG_AGO, 2);
    const { positions } = await readAll(await cursorSince(database, since), 2);
    expect(positions).toContain(lately);
    expect(positions.every((position) => position >= (lately ?? 0))).toBe(true);
    const { positions: none } = await readAll(
      await cursorSince(database, new Date('2027-01-01T00:00:00Z')),
      2,
    );
    // Of the newest transaction it cannot know that it is the last of its number: see log.ts.
    expect(none).toEqual(last);
  });

  test.each([1, 2, 1000])('the audit view is written %i at a time, each row once', async (atATime) => {
    const before = await append(LATELY, 5);
    await withClient(url, async (slow) => {
      await slow.query('begin');
      const { rows } = await slow.query<{ position: string }>(insert, [LATELY, randomUUID(), 1]);
      const after = [...(await append(LATELY, 1)), ...(await append(LATELY, 1))];
      await writeAuditRows(database, atATime);
      expect(await audited(before)).toBe(5);
      // Events above the horizon are written too, and come again without a second row.
      expect(await audited(after)).toBe(2);
      await slow.query('commit');
      await writeAuditRows(database, atATime);
      await writeAuditRows(database, atATime);
      expect(await audited([...before, ...after, ...rows.map((row) => Number(row.position))])).toBe(8);
    });
  });

  async function audited(positions: number[]): Promise<number> {
    const { rows } = await database.query({
      text: 'select count(*)::int as count from logs where event_position = any($1)',
      values: [positions],
    });
    return Number(rows[0]?.['count']);
  }
});
