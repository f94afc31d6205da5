import { DatabaseError } from './database.ts';
import { READ_ONLY } from './statement.ts';

/** Longer than any statement of ours takes; shorter than a caller waits. Bounds late commits too. */
export const STATEMENT_TIMEOUT_MS = 5000;

/**
 * What our statements rely on, whatever the server, the database or the role has set. The values are literals of the server's
 * own: no value here may need a quote or a backslash.
 */
const RELIED_ON: Record<string, string> = {
  // Planning costs more than running most of our statements, and their best plan depends neither on the values nor
  // on how many rows there were when they were first prepared: by the index, in the order in which the joins are
  // written. Nor is any long enough to be compiled.
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  join_collapse_limit: '1',
  jit: 'off',
  // Statements find what others have committed since their transaction began, and are not refused for it.
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // The server gives up on a statement. Whoever waits for a lock, or keeps a connection, is our business alone.
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
  // The secret of the nodes is kept from readers by a policy; without policies nobody but the owner gets it.
  row_security: 'on',
  // An index that gives only some of the rows would hide endings.
  gin_fuzzy_search_limit: '0',
};

/** PostgreSQL's own default: a schema of the role's name where there is one. */
const DEFAULT_PATH = '"$user",public';

const pathOf = (schema: string | null): string =>
  schema === null ? DEFAULT_PATH : `"${schema.replaceAll('"', '""')}"`;

/** What the server has in some versions alone, only a superuser may set, or may stay as it is in most cases. */
const adjusting = (local: boolean): string =>
  [
    // What was answered must be on the disk. Values that wait for standbys too are stricter, or somebody's decision.
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
 * For the startup packet, which is above whatever the database or the role has set.
 * @param given the options of the address, which may name a schema too
 */
export function startupOptions(schema: string | null, given: string): string {
  const option = ([name, value]: [string, string]): string => `-c ${name}=${value.replaceAll(' ', '\\ ')}`;
  const path = option(['search_path', pathOf(schema)]);
  const own = Object.entries(RELIED_ON).map(option);
  return (schema === null ? [path, given, ...own] : [given, path, ...own]).join(' ');
}

/** For a session that came to be with the startup options: the rest. */
export const FINISH_SESSION = `select ${adjusting(false)}`;

/** Begins a transaction in which everything is set that a session has otherwise: behind a pooler there is no session. */
export function beginWithSettings(schema: string | null): string {
  const { default_transaction_isolation: isolation, ...others } = RELIED_ON;
  const local = Object.entries(others)
    .filter(([name]) => !name.startsWith('default_'))
    .map(([name, value]) => `set_config('${name}', '${value}', true)`);
  // The path first: by it the functions are found. All others in one statement, which costs a third of one for each.
  return [
    `begin isolation level ${isolation}`,
    `set local search_path = ${pathOf(schema)}`,
    `select ${[...local, adjusting(true)].join(', ')}`,
  ].join('; ');
}

/** What decides whether the database is fit. */
export const LOOK_AT_SESSION = `select current_setting('server_encoding') as encoding, current_database() as database,
  current_setting('session_replication_role') as triggers, current_setting('plan_cache_mode') as plans,
  pg_is_in_recovery() as standby, current_setting('transaction_read_only') as read_only`;

/** The answer. */
export interface SessionFacts {
  encoding: string;
  database: string;
  triggers: string;
  plans: string;
  standby: boolean;
  read_only: string;
}

/** The database cannot be used as it is set up, or cannot be written to. The sentence says what is to be done. */
class UnfitDatabase extends DatabaseError {
  override name = 'UnfitDatabase';
}

/** @throws UnfitDatabase */
export function judgeSession(facts: SessionFacts): void {
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
      'a connection pooler drops the settings of the session. Set CURFEW_STATEMENT_NAMES=0, and CURFEW_DATABASE_DIRECT_URL to an address that goes past the pooler.',
    );
}

/** Whether a statement was refused because nothing can be written where it ran. It has done nothing. */
export function isReadOnly(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === '25006' || (typeof message === 'string' && message.includes(READ_ONLY));
}

/** @throws what PostgreSQL or a pooler says, in our words where these help */
export function explainRefusal(error: unknown): never {
  if (isReadOnly(error))
    throw new UnfitDatabase(
      'the database is read-only: a standby, a primary that was demoted, or default_transaction_read_only is on. Curfew answers from a writable primary alone.',
      { cause: error },
    );
  if (error instanceof Error && error.message.includes('unsupported startup parameter'))
    throw new UnfitDatabase(
      'DATABASE_URL leads to a connection pooler, which takes no settings for a session. Set CURFEW_STATEMENT_NAMES=0, and CURFEW_DATABASE_DIRECT_URL to an address that goes past the pooler.',
      { cause: error },
    );
  throw error;
}
