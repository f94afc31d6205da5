/** `db/schema.sql`, which people read, and the migrations, which the program runs, make the same database. */
import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { backends, type Backend, openStore } from '../support.ts';

const SCHEMA = readFileSync(new URL('../../db/schema.sql', import.meta.url), 'utf8');

/** The catalogs' content, without the migrations' own table. One line for each object. */
const CATALOG = `
  with ours as (
    select c.oid, c.relname, c.relkind, c.reloptions, c.relrowsecurity from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relname not like 'schema_migrations%'
  )
  select 'relation ' || relname || ' ' || relkind::text || ' ' || coalesce(reloptions::text, '')
    || case when relrowsecurity then ' row security' else '' end as line from ours
  union all
  select 'column ' || o.relname || ' ' || a.attnum || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || case when a.attnotnull then ' not null' else '' end || ' identity:' || a.attidentity::text || ' generated:' || a.attgenerated::text
    || ' default:' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' collation:' || a.attcollation::text
  from ours o join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = o.oid and d.adnum = a.attnum
  where o.relkind in ('r', 'v', 'm', 'p')
  union all
  select 'constraint ' || o.relname || ' ' || k.conname || ' ' || pg_get_constraintdef(k.oid) || ' ' || k.convalidated::text
  from ours o join pg_constraint k on k.conrelid = o.oid
  union all
  select 'index ' || pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid::text from ours o join pg_index i on i.indrelid = o.oid
  union all
  select 'view ' || relname || ' ' || pg_get_viewdef(oid) from ours where relkind in ('v', 'm')
  union all
  select 'sequence ' || o.relname || ' ' || format_type(s.seqtypid, null) || ' ' || s.seqstart || ' ' || s.seqincrement || ' ' || s.seqmax
    || ' ' || s.seqmin || ' ' || s.seqcache || ' ' || s.seqcycle::text
  from ours o join pg_sequence s on s.seqrelid = o.oid
  union all
  select 'policy ' || o.relname || ' ' || p.polname || ' ' || p.polcmd::text || ' ' || p.polpermissive::text || ' ' || p.polroles::text
    || ' ' || coalesce(pg_get_expr(p.polqual, o.oid), '') || ' ' || coalesce(pg_get_expr(p.polwithcheck, o.oid), '')
  from ours o join pg_policy p on p.polrelid = o.oid
  union all
  select 'trigger ' || o.relname || ' ' || pg_get_triggerdef(t.oid) from ours o join pg_trigger t on t.tgrelid = o.oid and not t.tgisinternal
  union all
  select 'function ' || p.proname || ' ' || pg_get_functiondef(p.oid) from pg_proc p where p.pronamespace = 'public'::regnamespace
  union all
  select 'type ' || t.typname || ' ' || coalesce((select string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid), '')
  from pg_type t where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd')
  order by 1`;

const opened: Database[] = [];
afterAll(async () => {
  for (const database of opened) await database.close();
});

/** Migrated by this run, as all of its databases are. */
async function migratedDatabase(backend: Backend): Promise<Database> {
  const database = await openStore(backend);
  opened.push(database);
  return database;
}

async function emptyDatabase(backend: Backend): Promise<Database> {
  const database = await migratedDatabase(backend);
  await database.query({ text: 'drop schema public cascade', values: [] });
  await database.query({ text: 'create schema public', values: [] });
  return database;
}

async function catalogOf(database: Database): Promise<string[]> {
  const { rows } = await database.query({ text: CATALOG, values: [] });
  return rows.map((row: { line: string }) => row.line);
}

test.each(backends())('schema.sql and the migrations build the same schema, %s', async (backend) => {
  const [migratedOne, readOne] = [await migratedDatabase(backend), await emptyDatabase(backend)];
  expect(await migrate(migratedOne)).toEqual([]);
  // Without values the driver takes the simple protocol, which runs many statements.
  await readOne.query({ text: SCHEMA } as { text: string; values: unknown[] });
  const [byMigrations, bySchema] = [await catalogOf(migratedOne), await catalogOf(readOne)];
  expect(byMigrations.length).toBeGreaterThan(100);
  for (const kind of ['relation', 'column', 'constraint', 'index', 'view', 'sequence', 'policy'])
    expect(byMigrations.some((line) => line.startsWith(`${kind} `))).toBe(true);
  expect(bySchema).toEqual(byMigrations);
});
