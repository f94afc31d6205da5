import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Database } from './database.ts';
import type { Open } from './backup.ts';
import { writeDurably } from './durable-files.ts';
import { migrate } from './migrate.ts';
import { unhurried } from './start-lock.ts';
import type { Queryable } from './statement.ts';

/*
 * Moves everything from the embedded database into an empty PostgreSQL, in one transaction there: all or nothing. Rows cross as
 * JSON that the databases write and read, so that no value is converted by JavaScript.
 */

/** The source or the target is not usable. Nothing was moved. */
export class MoveError extends Error {
  override name = 'MoveError';
}

/** The target of a move, finished or under way. */
export class Moved extends Error {
  override name = 'Moved';
}

const NOTE = 'moved.json';
const note = z.strictObject({
  /** The move's id; the target has it too, from the commit on. */
  id: z.uuid(),
  /** Without user and password. */
  to: z.string(),
  at: z.iso.datetime(),
  tables: z.array(z.strictObject({ table: z.string(), rows: z.int() })),
  done: z.boolean(),
});
type Note = z.infer<typeof note>;

/** Tables of the last process and of the migrations: the target has its own. */
const NOT_MOVED = new Set(['nodes', 'schema_migrations']);
/** Tables that the migrations put a row into: the source's rows replace it. */
const SEEDED = ['incarnation', 'tenants'];
/** Table blocks in one statement: half a megabyte of rows. */
const BLOCKS = 64;

export interface MovedTable {
  table: string;
  rows: number;
}

function readNote(directory: string): Note | null {
  const file = join(directory, NOTE);
  return existsSync(file) ? note.parse(JSON.parse(readFileSync(file, 'utf8'))) : null;
}

/** @throws Moved when the directory's database was moved, or may have been */
export function refuseMoved(directory: string): void {
  const left = readNote(directory);
  if (left?.done)
    throw new Moved(
      `the database in ${directory} was moved to ${left.to} on ${left.at}, and accepts no more changes. Set DATABASE_URL to that address.`,
    );
  if (left)
    throw new Moved(
      `a move of the database in ${directory} to ${left.to} was interrupted on ${left.at}. Run it again: curfew move --to DATABASE_URL. If you are sure that the target is empty, you can remove this file instead: ${join(directory, NOTE)}.`,
    );
}

/**
 * Moves the database of a directory, which no server may use, into an empty PostgreSQL. A repeated call after an interruption
 * continues, or finds the move complete.
 * @param to the target's address without its secrets
 * @param onTable called with each table before its rows, and their number
 * @throws MoveError, DirectoryInUse
 */
export async function moveDatabase(
  directory: string,
  open: Open,
  target: Database,
  to: string,
  now: Date,
  onTable: (table: string, rows: number) => void = () => undefined,
): Promise<MovedTable[]> {
  if (!existsSync(join(directory, 'database'))) throw new MoveError(`there is no database in ${directory}.`);
  const source = await open(directory);
  try {
    const before = readNote(directory);
    if (before && before.to !== to)
      throw new MoveError(
        `the database in ${directory} was moved, or was being moved, to ${before.to} on ${before.at}. Name that address with --to.`,
      );
    await migrate(source);
    await migrate(target);
    if (before && (await noted(target)) === before.id) {
      finish(directory, before);
      return before.tables;
    }
    if (before?.done)
      throw new MoveError(
        `the database in ${directory} was moved on ${before.at}, but ${to} holds another database now. Curfew does not move it a second time: sessions that were logged out since would be alive again.`,
      );
    const tables = await tablesOf(source);
    await refuseFull(target, tables);
    const sums = await sumsOf(source, tables);
    const moved = [...sums].map(([table, { rows }]) => ({ table, rows }));
    const id = before?.id ?? crypto.randomUUID();
    const begun: Note = { id, to, at: now.toISOString(), tables: moved, done: false };
    writeDurably(join(directory, NOTE), JSON.stringify(begun));
    let complete = false;
    try {
      await target.transaction(async (on) => {
        await copy(source, await unhurried(on), sums, id, onTable);
        complete = true;
      });
    } catch (error) {
      // The outcome of a requested commit may be unknown: the next run finds out.
      if (!complete) rmSync(join(directory, NOTE));
      throw error;
    }
    finish(directory, begun);
    return moved;
  } finally {
    await source.close();
  }
}

const finish = (directory: string, begun: Note): void =>
  writeDurably(join(directory, NOTE), JSON.stringify({ ...begun, done: true }));

const rowsOf = async <T>(on: Queryable, text: string, ...values: unknown[]): Promise<T[]> =>
  (await on.query({ text, values })).rows as T[];

/** The tables, referenced ones first. */
async function tablesOf(on: Queryable): Promise<string[]> {
  const found = await rowsOf<{ name: string; needs: string[] }>(
    on,
    `select c.relname as name, array(select distinct k.confrelid::regclass::text from pg_constraint k
       where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid) as needs
     from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' order by c.relname`,
  );
  const left = new Map(
    found.filter(({ name }) => !NOT_MOVED.has(name)).map(({ name, needs }) => [name, needs]),
  );
  const ordered: string[] = [];
  while (left.size > 0) {
    const next = [...left].find(([, needs]) => needs.every((need) => !left.has(need)));
    if (!next) throw new MoveError('tables refer to each other in a circle.');
    ordered.push(next[0]);
    left.delete(next[0]);
  }
  return ordered;
}

/** Rows, and a sum over all of them that is independent of their order. */
type Sums = Map<string, { rows: number; sum: string }>;

async function sumsOf(on: Queryable, tables: readonly string[]): Promise<Sums> {
  const sums: Sums = new Map();
  for (const table of tables) {
    // The databases' identity differs; the first node corrects it.
    const columns = table === 'incarnation' ? `to_jsonb(t) - 'written'` : 'to_jsonb(t)';
    const [row] = await rowsOf<{ rows: number; sum: string }>(
      on,
      `select count(*) as rows, coalesce(sum(('x' || left(encode(sha256(convert_to((${columns})::text, 'UTF8')), 'hex'), 15))::bit(60)::bigint), 0)::text as sum from ${table} t`,
    );
    if (row) sums.set(table, row);
  }
  return sums;
}

async function refuseFull(target: Database, tables: readonly string[]): Promise<void> {
  for (const table of tables.filter((name) => !SEEDED.includes(name))) {
    const [row] = await rowsOf(target, `select 1 from ${table} limit 1`);
    if (row) throw new MoveError(`the target is not empty: ${table} has rows. Use an empty database.`);
  }
}

/** The move that has filled the target, if any. */
async function noted(target: Queryable): Promise<string | null> {
  const [row] = await rowsOf<{ text: string | null }>(
    target,
    `select obj_description('incarnation'::regclass, 'pg_class') as text`,
  );
  return row?.text?.replace(/^moved: /, '') ?? null;
}

async function copy(
  source: Queryable,
  target: Queryable,
  before: Sums,
  id: string,
  onTable: (table: string, rows: number) => void,
): Promise<void> {
  for (const table of SEEDED) await target.query({ text: `delete from ${table}`, values: [] });
  for (const [table, { rows }] of before) {
    onTable(table, rows);
    const [size] = await rowsOf<{ blocks: number }>(
      source,
      `select pg_relation_size($1::regclass) / current_setting('block_size')::bigint as blocks`,
      table,
    );
    // Nothing writes to the source, so rows stay where they are.
    for (let block = 0; block < (size?.blocks ?? 0); block += BLOCKS) {
      const [page] = await rowsOf<{ rows: string | null }>(
        source,
        `select jsonb_agg(to_jsonb(t))::text as rows from ${table} t where t.ctid >= $1::tid and t.ctid < $2::tid`,
        `(${block},0)`,
        `(${block + BLOCKS},0)`,
      );
      if (!page?.rows) continue;
      await target.query({
        text: `insert into ${table} overriding system value select * from jsonb_populate_recordset(null::${table}, $1::jsonb)`,
        values: [page.rows],
      });
    }
  }
  for (const { name, value } of await rowsOf<{ name: string; value: string | null }>(
    source,
    `select quote_ident(sequencename) as name, last_value::text as value from pg_sequences where schemaname = current_schema()`,
  ))
    if (value !== null)
      await target.query({ text: 'select setval($1::regclass, $2::bigint)', values: [name, value] });
  const after = await sumsOf(target, [...before.keys()]);
  for (const [table, { rows, sum }] of before) {
    const there = after.get(table);
    if (there?.rows !== rows || there.sum !== sum)
      throw new MoveError(
        `${table} did not arrive complete: ${there?.rows ?? 0} of ${rows} rows, or different rows.`,
      );
  }
  await target.query({ text: `comment on table incarnation is 'moved: ${id}'`, values: [] });
}
