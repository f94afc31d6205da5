/** What a PostgreSQL server does itself and PGlite does not: checkpoints and vacuum. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { freshData } from '../services/embedded-data.ts';
import { openQuickly } from '../services/open-embedded.ts';

const directory = freshData('maintenance');
let database: Database;
beforeAll(async () => {
  database = await openQuickly(directory);
  await ask('create table t (n int)');
});
afterAll(() => database.close());

async function ask(text: string): Promise<Record<string, unknown>> {
  const { rows } = await database.query({ text, values: [] });
  return (rows as Record<string, unknown>[])[0] ?? {};
}

const redo = async (): Promise<unknown> =>
  (await ask('select redo_lsn::text from pg_control_checkpoint()'))['redo_lsn'];

test('a checkpoint is made after 64 MB of write-ahead log, and not before', async () => {
  const before = await redo();
  await database.maintain?.();
  expect(await redo()).toBe(before);
  // Each goes on in a new file of 16 MB.
  for (let i = 0; i < 5; i++) {
    await ask(`insert into t values (${i})`);
    await ask('select pg_switch_wal()');
  }
  await database.maintain?.();
  expect(await redo()).not.toBe(before);
});

test('a table is vacuumed when many of its rows are dead', async () => {
  const dead = async (): Promise<number> => {
    await ask('select pg_stat_force_next_flush()');
    return Number((await ask("select n_dead_tup from pg_stat_all_tables where relname = 't'"))['n_dead_tup']);
  };
  await ask('insert into t select generate_series(1, 3000)');
  await ask('delete from t');
  expect(await dead()).toBeGreaterThan(2000);
  await database.maintain?.();
  expect(await dead()).toBe(0);
});

test('vacuum reaches every database, also in a directory of an earlier version', async () => {
  const names = async (): Promise<unknown> =>
    (await ask("select string_agg(datname, ' ' order by datname) as names from pg_database"))['names'];
  expect(await names()).toBe('postgres');
  await ask('create database template0 template postgres is_template true');
  await ask('create database template1 template postgres is_template true');
  expect(await names()).toBe('postgres template0 template1');
  await database.close();
  database = await openQuickly(directory);
  expect(await names()).toBe('postgres');
});
