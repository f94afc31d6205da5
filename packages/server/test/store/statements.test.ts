import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { everyStatement } from '../../src/store/statement.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { backends, migrated, openStore, silent } from '../support.ts';

/** Every module that declares statements. */
const SOURCES = new URL('../../src/', import.meta.url);
beforeAll(async () => {
  for (const path of readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }))
    if (/\bstatement[<(]/.test(path.endsWith('.ts') ? readFileSync(new URL(path, SOURCES), 'utf8') : ''))
      await import(new URL(path, SOURCES).href);
});

test.runIf(hasPostgres())('PostgreSQL prepares every statement, and names are unique', async () => {
  const statements = everyStatement();
  expect(statements.length).toBeGreaterThan(40);
  expect(new Set(statements.map((one) => one.name)).size).toBe(statements.length);
  const faults: string[] = [];
  await withClient(await freshDatabase(migrated), async (client) => {
    for (const { name, text } of statements)
      await client
        .query(`prepare "${name}" as ${text}`)
        .catch((error: unknown) => faults.push(`${name}: ${String(error)}`));
  });
  expect(faults).toEqual([]);
});

test.each(backends())('a statement that fails leaves the next ones as they are, %s', async (backend) => {
  const database = await openStore(backend);
  const failing = [
    ['no such relation', 'select a from nowhere where a = $1', 1],
    ['no such value', 'select $1::uuid', 'x'],
    ['no such text', 'select $1::text', 'a\0b'],
    ['no such number', 'select 1 / $1::int', 0],
  ] as const;
  for (const [what, text, value] of failing)
    for (const name of [undefined, `${what}, by name`]) {
      const query = { text, values: [value], ...(name !== undefined && { name }) };
      const faults: unknown[] = [];
      for (let i = 0; i < 2; i++)
        await database.query(query).catch((error: Error) => faults.push(error.message));
      // The database's own answer, and not that of a connection that broke.
      expect([what, faults]).toEqual([what, [expect.not.stringContaining('terminated'), faults[0]]]);
      for (const n of [1, 2]) {
        const { rows } = await database.query({ text: 'select $1::int as n', values: [n] });
        expect([what, rows]).toEqual([what, [{ n }]]);
      }
    }
  // Not after a failure: an engine whose answers are out of step would never close.
  await database.close();
});

test.runIf(hasPostgres()).each([true, false])(
  'a connection serves many statements, also after one that fails (with names: %s)',
  async (statementNames) => {
    const url = await freshDatabase();
    const database = openPostgres({ url, pool: 1, statementNames, log: silent });
    const backend = async (): Promise<unknown> =>
      (await database.query({ text: 'select pg_backend_pid() as pid', values: [] })).rows[0];
    const first = await backend();
    expect(await backend()).toEqual(first);
    await expect(database.query({ text: 'select 1 / $1::int', values: [0] })).rejects.toThrow('zero');
    if (!statementNames) expect(await backend()).toEqual(first);
    await database.close();
  },
);

/** How the database goes about it, under the very settings that the server's connections have. */
async function planOf(name: string, values: string): Promise<string> {
  const text = everyStatement().find((one) => one.name === name)?.text;
  const database = openPostgres({
    url: await freshDatabase(migrated),
    pool: 1,
    statementNames: true,
    log: silent,
  });
  try {
    const ask = (sql: string) => database.query({ text: sql, values: [] });
    await ask(`insert into events (at, type, actor) select now() - interval '1 year', 'session_started', 'system'
      from generate_series(1, 20000)`);
    await ask('analyze events');
    await ask(`prepare asked as ${text}`);
    const { rows } = await ask(`explain execute asked(${values})`);
    return rows.map((row) => String(row['QUERY PLAN'])).join('\n');
  } finally {
    await database.close();
  }
}

test.runIf(hasPostgres())('a reader that begins now finds its cursor without a scan of the log', async () => {
  const plan = await planOf('place_since', 'now()');
  expect(plan).toContain('events_at');
  // That would be the whole log from its beginning on, in search of the first that is young enough.
  expect(plan).not.toContain('Scan using events_xid');
});

test.runIf(hasPostgres()).each([
  ['next_events', ''],
  ['next_endings', ''],
  ['next_wanted', `, '{sessions_ended}'`],
  ['next_positions', `, '{sessions_ended}'`],
])('%s reads new events from its cursor on, and open transactions by number', async (name, wants) => {
  const plan = await planOf(name, `'20000', '{700,800}', '{0,0}', '{}', 100, null, '7/700'${wants}`);
  expect(plan).toMatch(/Index Cond: \(xid >= /);
  expect(plan).toMatch(/Index Cond: \((events\.)?xid = o\.xid\)/);
});

test.runIf(hasPostgres())(
  'a slice of the log is purged by the index, from where the last one stopped',
  async () => {
    const plan = await planOf('purge_events', `now(), '700', 1000`);
    expect(plan).toMatch(/Index Cond: \(\(xid >= .*\) AND \(xid < /);
    expect(plan).toMatch(/Index Cond: \("?position"? = s/);
  },
);

test.runIf(hasPostgres())('a piece of the audit view is written by the positions of its events', async () => {
  expect(await planOf('write_audit', `'{5,6}'`)).toMatch(/Index Cond: \("?position"? = ANY/);
});
