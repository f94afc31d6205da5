import { DatabaseError } from './database.ts';
import { READ_ONLY } from './statement.ts';

/** Longer than any of Curfew's statements takes, shorter than a caller waits. It bounds late commits too. */
export const STATEMENT_TIMEOUT_MS = 5000;

/**
 * The settings that the statements rely on, whatever the server, the database or the role has set. The values are literals in the
 * server's syntax: none may need a quote or a backslash.
 */
const RELIED_ON: Record<string, string> = {
  // Planning costs more than running most of these statements, and their best plan depends neither on the values nor on the
  // number of rows at preparation: by the index, in the order of the joins. None is long enough for JIT.
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  join_collapse_limit: '1',
  jit: 'off',
  // Statements see commits made since their transaction began, and do not fail because of them.
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // The server limits statements only. Waits for locks and idle connections are limited by Curfew.
  statement_timeout: `${STATEMENT_TIMEOUT_MS}`,
  idle_in_transaction_session_timeout: `${STATEMENT_TIMEOUT_MS}`,
  lock_timeout: '0',
  idle_session_timeout: '0',
  exit_on_error: 'off',
  // How values are written, in both directions.
  datestyle: 'ISO,MDY',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  transform_null_equals: 'off',
  client_min_messages: 'warning',
  // A policy hides the nodes' secret from readers; without row security only the owner would get rows at all.
  row_security: 'on',
  // A partial index scan would hide endings.
  gin_fuzzy_search_limit: '0',
};

/** PostgreSQL's own default: a schema of the role's name if there is one. */
const DEFAULT_PATH = '"$user",public';

const pathOf = (schema: string | null): string =>
  schema === null ? DEFAULT_PATH : `"${schema.replaceAll('"', '""')}"`;

/** Settings of some versions only, or of superusers, or that are usually right already. */
const adjusting = (local: boolean): string =>
  [
    // Answered commits must be on the disk. Values that wait for standbys too are stricter, so they are kept.
    [`current_setting('synchronous_commit') = 'off'`, 'synchronous_commit', 'on'],
    [`current_setting('transaction_timeout', true) <> '0'`, 'transaction_timeout', '0'],
    [
      `current_setting('restrict_nonsystem_relation_kind', true) <> ''`,
      'restrict_nonsystem_relation_kind',
      '',
    ],
    [
      `current_setting('session_replication_role') <> 'origin' and current_setting('is_superuser') = 'on'`,
      'session_replication_role',
      'origin',
    ],
  ]
    .map(([when, name, value]) => `case when ${when} then set_config('${name}', '${value}', ${local}) end`)
    .join(', ');

/**
 * The startup packet's settings, which override those of database and role.
 * @param given the options of the address, which may name a schema too
 */
export function startupOptions(schema: string | null, given: string): string {
  const option = ([name, value]: [string, string]): string => `-c ${name}=${value.replaceAll(' ', '\\ ')}`;
  const path = option(['search_path', pathOf(schema)]);
  const own = Object.entries(RELIED_ON).map(option);
  return (schema === null ? [path, given, ...own] : [given, path, ...own]).join(' ');
}

/** The remaining settings, for a session that has the startup options. */
export const FINISH_CONNECTION = `select ${adjusting(false)}`;

/** Begins a transaction with all the settings of a session, because behind a pooler there is no session. */
export function beginWithSettings(schema: string | null): string {
  const { default_transaction_isolation: isolation, ...others } = RELIED_ON;
  const local = Object.entries(others)
    .filter(([name]) => !name.startsWith('default_'))
    .map(([name, value]) => `set_config('${name}', '${value}', true)`);
  // The path first, because functions are found by it. The others in one statement, which costs a third of one for each.
  return [
    `begin isolation level ${isolation}`,
    `set local search_path = ${pathOf(schema)}`,
    `select ${[...local, adjusting(true)].join(', ')}`,
  ].join('; ');
}

/** The values that decide whether the database is usable. */
export const LOOK_AT_CONNECTION = `select current_setting('server_encoding') as encoding, current_database() as database,
  current_setting('session_replication_role') as triggers, current_setting('plan_cache_mode') as plans,
  pg_is_in_recovery() as standby, current_setting('transaction_read_only') as read_only`;

export interface ConnectionFacts {
  encoding: string;
  database: string;
  triggers: string;
  plans: string;
  standby: boolean;
  read_only: string;
}

/** The database cannot be used as it is set up, or cannot be written to. The message says what to do. */
class UnfitDatabase extends DatabaseError {
  override name = 'UnfitDatabase';
}

/** @throws UnfitDatabase */
export function judgeConnection(facts: ConnectionFacts): void {
  if (facts.standby)
    throw new UnfitDatabase(
      'the database is a read-only standby, which can lag behind its primary. Point DATABASE_URL to the primary.',
    );
  if (facts.read_only !== 'off')
    throw new UnfitDatabase(
      `the database is read-only: default_transaction_read_only is on for the server, the database or the role. Turn it off there (ALTER DATABASE "${facts.database}" RESET default_transaction_read_only), or point DATABASE_URL to the primary.`,
    );
  if (facts.encoding !== 'UTF8')
    throw new UnfitDatabase(
      `the database "${facts.database}" has the encoding ${facts.encoding}, which cannot store every name. Create one in UTF8: CREATE DATABASE curfew TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'.`,
    );
  if (facts.triggers !== 'origin')
    throw new UnfitDatabase(
      `session_replication_role is ${facts.triggers} for this role or database: foreign keys do not hold. Reset it (ALTER ROLE … RESET session_replication_role).`,
    );
  if (facts.plans !== RELIED_ON['plan_cache_mode'])
    throw new UnfitDatabase(
      'a connection pooler drops the settings of the session. Set CURFEW_STATEMENT_NAMES=0, and CURFEW_DATABASE_DIRECT_URL to an address that bypasses the pooler.',
    );
}

/** Whether a statement failed because the server is read-only. It has changed nothing. */
export function isReadOnly(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === '25006' || (typeof message === 'string' && message.includes(READ_ONLY));
}

/** @throws the error of PostgreSQL or a pooler, with a clearer message where Curfew has one */
export function explainRefusal(error: unknown): never {
  if (isReadOnly(error))
    throw new UnfitDatabase(
      'the database is read-only: a standby, a primary that was demoted, or default_transaction_read_only is on. Curfew answers only from a writable primary.',
      { cause: error },
    );
  if (error instanceof Error && error.message.includes('unsupported startup parameter'))
    throw new UnfitDatabase(
      'DATABASE_URL leads to a connection pooler, which takes no settings for a session. Set CURFEW_STATEMENT_NAMES=0, and CURFEW_DATABASE_DIRECT_URL to an address that bypasses the pooler.',
      { cause: error },
    );
  throw error;
}
