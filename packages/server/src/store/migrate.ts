import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Database } from './database.ts';
import { oneStarterAtATime, unhurried } from './start-lock.ts';
import type { Queryable } from './statement.ts';
import { SchemaMismatch } from './open-errors.ts';

const DIRECTORY = new URL('../../db/migrations/', import.meta.url);

interface Migration {
  number: number;
  name: string;
  sql: string;
  checksum: string;
}

function ownMigrations(): Migration[] {
  return readdirSync(DIRECTORY)
    .filter((name) => /^\d{4}-[a-z0-9-]+\.sql$/.test(name))
    .sort()
    .map((name) => {
      const sql = readFileSync(new URL(name, DIRECTORY), 'utf8');
      return {
        number: Number(name.slice(0, 4)),
        name,
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
      };
    });
}

interface Applied {
  number: number;
  name: string;
  checksum: string;
}

/** Compares the program's migrations with the database's, and returns the missing ones. */
function missingFrom(own: Migration[], applied: Applied[]): Migration[] {
  for (const there of applied) {
    const known = own.find((migration) => migration.number === there.number);
    if (!known)
      throw new SchemaMismatch(
        `the database has migration ${there.name}, which this program does not know: it was made by a newer Curfew. Run that version, or a newer one.`,
      );
    if (known.checksum !== there.checksum)
      throw new SchemaMismatch(`migration ${there.name} in the database is not the one in this program.`);
  }
  return own.filter((migration) => !applied.some((there) => there.number === migration.number));
}

/** Tables created under another search_path would not be found, and be created twice. */
const ELSEWHERE = `select nspname as schema from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where relname = 'schema_migrations' and to_regclass('schema_migrations') is null
    and to_regclass(quote_ident(nspname) || '.open_sessions') is not null
    and replace(current_setting('search_path'), ' ', '') = '"$user",public'
  order by nspname`;

async function refuseElsewhere(run: (text: string) => Promise<{ rows: unknown[] }>): Promise<void> {
  const [there] = (await run(ELSEWHERE)).rows as { schema: string }[];
  if (there)
    throw new SchemaMismatch(
      `the tables of this database are in the schema ${there.schema}. Set CURFEW_DATABASE_SCHEMA=${there.schema}, or CURFEW_DATABASE_SCHEMA=public to create new tables there.`,
    );
}

const APPLIED = 'select number, name, checksum from schema_migrations order by number';

/**
 * The names of the migrations that the database lacks; all of them when it is empty. Changes nothing.
 * @throws SchemaMismatch as `migrate`
 */
export async function missingMigrations(on: Queryable): Promise<string[]> {
  const run = (text: string) => on.query({ text, values: [] });
  await refuseElsewhere(run);
  const { rows } = await run(`select to_regclass('schema_migrations') is not null as there`);
  const there = (rows as { there: boolean }[])[0]?.there ?? false;
  const applied = there ? ((await run(APPLIED)).rows as Applied[]) : [];
  return missingFrom(ownMigrations(), applied).map((migration) => migration.name);
}

/**
 * Brings the schema up to date, in one transaction, under a lock. Idempotent.
 * @param onMigration called with each name before it is applied
 * @param onWait called once for each thing that is waited for
 * @returns the names of the migrations that were applied
 * @throws SchemaMismatch when the schema is newer than this program, or an applied migration differs
 */
export function migrate(
  database: Database,
  onMigration: (name: string) => void = () => undefined,
  onWait: (forWhat: string) => void = () => undefined,
): Promise<string[]> {
  const own = ownMigrations();
  return oneStarterAtATime(
    database,
    async (on) => {
      const run = (text: string, values: unknown[] = []) => on.query({ text, values });
      await refuseElsewhere(run);
      await run(`create table if not exists schema_migrations (
      number integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`);
      const missing = missingFrom(own, (await run(APPLIED)).rows as Applied[]);
      const patient = missing.length > 0 ? await unhurried(on) : on;
      for (const { number, name, sql, checksum } of missing) {
        onMigration(name);
        // Without values the driver uses the simple protocol, which runs a file of many statements.
        await patient.query({ text: sql } as { text: string; values: unknown[] });
        await run('insert into schema_migrations (number, name, checksum) values ($1, $2, $3)', [
          number,
          name,
          checksum,
        ]);
      }
      return missing.map((migration) => migration.name);
    },
    onWait,
  );
}
