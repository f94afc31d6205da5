import type { UserRecord } from './users.ts';
import { USER_COLUMNS } from './users.ts';
import { type Queryable, statement } from './statement.ts';

/* Finds users by any part of their name or address. Each statement looks at a bounded number of rows. */

const MATCHES = `deleted_at is null and (email ilike any($3::text[]) or name ilike any($3::text[]))`;

const folds = statement<[], { folds: boolean }>('database_folds_case', `select lower('Ł') = 'ł' as folds`);

/** Whether "ilike" folds more than ASCII, which depends on the database's locale. */
export async function foldsCase(on: Queryable): Promise<boolean> {
  return (await folds.run(on))[0]?.folds ?? false;
}

const end = statement<[after: number, rows: number], { id: number }>(
  'end_of_users',
  `select id from users where id > $1 order by id offset $2 limit 1`,
);

/** The id up to which this many users follow; null when there are fewer. */
export async function endOfUsers(on: Queryable, after: number, rows: number): Promise<number | null> {
  return (await end.run(on, after, rows - 1))[0]?.id ?? null;
}

const search = statement<[after: number, limit: number, patterns: string[], upTo: number | null], UserRecord>(
  'search_users',
  `select ${USER_COLUMNS} from users
   where id > $1 and id <= coalesce($4::bigint, 9223372036854775807) and ${MATCHES} order by id limit $2`,
);

/** The matches among the users after one id up to another, by id. */
export function searchUsers(
  on: Queryable,
  patterns: readonly string[],
  after: number,
  upTo: number | null,
  limit: number,
): Promise<UserRecord[]> {
  return search.run(on, after, limit, [...patterns], upTo);
}

const searchIndex = statement<[after: number, limit: number, patterns: string[]], UserRecord>(
  'search_users_by_index',
  // The subquery is planned by itself: with the limit in sight the planner would scan the table.
  `select * from (select ${USER_COLUMNS} from users where ${MATCHES} offset 0) found
   where id > $1 order by id limit $2`,
);

/** The matches among all users after an id, by the index of `hasSearchIndex`. For texts that few users contain. */
export function searchUsersByIndex(
  on: Queryable,
  patterns: readonly string[],
  after: number,
  limit: number,
): Promise<UserRecord[]> {
  return searchIndex.run(on, after, limit, [...patterns]);
}

const indexed = statement<[], { indexed: boolean }>(
  'users_have_search_index',
  `select count(distinct a.attname) = 2 as indexed
   from pg_index i
   join lateral unnest(i.indkey::int2[], i.indclass::oid[]) as part (attnum, opclass) on true
   join pg_attribute a on a.attrelid = i.indrelid and a.attnum = part.attnum and a.attname in ('email', 'name')
   join pg_opclass o on o.oid = part.opclass and o.opcname in ('gin_trgm_ops', 'gist_trgm_ops')
   where i.indrelid = 'users'::regclass and i.indisvalid and i.indpred is null`,
);

/** Whether trigram indexes of both columns exist (docs/guides/operate.md): the extension is not available everywhere. */
export async function hasSearchIndex(on: Queryable): Promise<boolean> {
  return (await indexed.run(on))[0]?.indexed ?? false;
}

/** The patterns for a text. Where the database folds ASCII only, the usual spellings of names are tried. */
export function patternsOf(text: string, databaseFolds: boolean): string[] {
  const lower = text.toLowerCase();
  const capitals = lower.replace(/(?<![\p{L}\p{M}])\p{L}/gu, (letter) => letter.toUpperCase());
  const laterCapitals = lower.slice(0, 1) + capitals.slice(1);
  const spellings = databaseFolds ? [text] : [text, lower, text.toUpperCase(), capitals, laterCapitals];
  return [...new Set(spellings)].map((one) => `%${one.replace(/[\\%_]/g, '\\$&')}%`);
}
