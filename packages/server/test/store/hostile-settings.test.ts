/** Whatever the database or the role has set, the session sets everything that it relies on, or the start says what is wrong. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { insertUser } from '../../src/store/users.ts';
import { type Node, openNode } from '../races/node.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { findPgbouncer, type PgbouncerServer, startPgbouncer } from '../services/pgbouncer.ts';
import { databaseUrl, withClient } from '../services/postgres.ts';
import { requireService } from '../services/require.ts';
import { migrated } from '../support.ts';

/** The settings of one round are tested together; a setting with several bad values is in several rounds. */
const ROUNDS: Record<string, string>[] = [
  {
    default_transaction_isolation: 'serializable',
    datestyle: 'German, DMY',
    timezone: 'Asia/Kathmandu',
    intervalstyle: 'sql_standard',
    bytea_output: 'escape',
    search_path: 'nowhere',
    standard_conforming_strings: 'off',
    client_encoding: 'LATIN1',
    extra_float_digits: '-15',
    lc_messages: 'C',
    lc_numeric: 'C',
    lc_time: 'C',
    statement_timeout: '200ms',
    lock_timeout: '200ms',
    idle_session_timeout: '200ms',
    idle_in_transaction_session_timeout: '200ms',
    transaction_timeout: '200ms',
    row_security: 'off',
    transform_null_equals: 'on',
    array_nulls: 'off',
    synchronous_commit: 'off',
    exit_on_error: 'on',
    client_min_messages: 'debug5',
    gin_fuzzy_search_limit: '1',
    plan_cache_mode: 'force_custom_plan',
    enable_seqscan: 'on',
    join_collapse_limit: '8',
    jit: 'on',
    restrict_nonsystem_relation_kind: 'view',
  },
  { default_transaction_isolation: 'repeatable read', datestyle: 'SQL, DMY', search_path: '' },
  { datestyle: 'Postgres, MDY' },
];

/** The values that each statement finds. */
const RELIED_ON: Record<string, string> = {
  transaction_isolation: 'read committed',
  datestyle: 'ISO, MDY',
  timezone: 'UTC',
  intervalstyle: 'postgres',
  bytea_output: 'hex',
  search_path: '"$user", public',
  standard_conforming_strings: 'on',
  client_encoding: 'UTF8',
  extra_float_digits: '1',
  statement_timeout: '5s',
  lock_timeout: '0',
  idle_session_timeout: '0',
  idle_in_transaction_session_timeout: '5s',
  transaction_timeout: '0',
  row_security: 'on',
  transform_null_equals: 'off',
  array_nulls: 'on',
  synchronous_commit: 'on',
  exit_on_error: 'off',
  client_min_messages: 'warning',
  gin_fuzzy_search_limit: '0',
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  join_collapse_limit: '1',
  jit: 'off',
  session_replication_role: 'origin',
  restrict_nonsystem_relation_kind: '',
};

const pgbouncerThere =
  requireService('PgBouncer', findPgbouncer(), 'install pgbouncer; the tests of poolers need it.') !==
  undefined;

describe.runIf(hasPostgres())('settings of the database or the role', () => {
  const role = `curfew_hostile_${randomBytes(4).toString('hex')}`;
  const adminUrl = inject('postgresUrl') ?? '';
  let database: string;
  /** As a role without superuser rights. */
  let url: string;
  let pgbouncer: PgbouncerServer | undefined;
  /** Some settings exist in newer versions alone. */
  let known: Set<string>;
  const asAdmin = (sql: string): Promise<{ rows: Record<string, unknown>[] }> =>
    withClient(adminUrl, (client) => client.query(sql));

  beforeAll(async () => {
    const admin = new URL(await freshDatabase(migrated));
    database = admin.pathname.slice(1);
    await asAdmin(`create role ${role} login`);
    await asAdmin(`alter database ${database} owner to ${role}`);
    await withClient(admin.href, (client) =>
      client.query(`grant all on schema public to ${role};
        grant all on all tables in schema public to ${role}; grant all on all sequences in schema public to ${role}`),
    );
    admin.username = role;
    url = admin.href;
    if (pgbouncerThere) pgbouncer = await startPgbouncer(url);
    const { rows } = await asAdmin('select name from pg_settings');
    known = new Set(rows.map((row) => String(row['name']).toLowerCase()));
  });
  afterAll(async () => {
    await pgbouncer?.stop();
    await asAdmin(`drop database ${database} with (force)`);
    await asAdmin(`drop role ${role}`);
  });

  /** A login, a check, a logout and a check. */
  async function lifeOfASession(node: Node): Promise<unknown[]> {
    const email = `${randomBytes(4).toString('hex')}@example.com`;
    const facts = {
      email,
      name: 'Łukasz',
      workspace: '',
      role: 'user',
      passwordHash: 'quick:secret',
    } as const;
    await insertUser(node.world.database, facts, node.world.system.now());
    const login = await node.call('POST', '/api/v1/auth/login', { body: { email, password: 'secret' } });
    const bearer = String(login.json['access_token']);
    const status = async (): Promise<unknown> =>
      (await node.call('GET', '/api/v1/auth/status', { bearer })).json.user?.name;
    const before = await status();
    const logout = await node.call('POST', '/api/v1/auth/logout', { bearer });
    const confirmed = logout.headers.get('curfew-propagation')?.includes('confirmed=?1');
    return [login.status, before, logout.status, confirmed, await status()];
  }
  const LIVED = [200, 'Łukasz', 200, true, undefined];

  /** The settings that the node's statements find. */
  async function found(node: Node): Promise<unknown> {
    const { rows } = await node.world.database.query({
      text: 'select name, current_setting(name) as value from unnest($1::text[]) as name',
      values: [Object.keys(RELIED_ON).filter((name) => known.has(name))],
    });
    return Object.fromEntries(
      rows.map((row) => [row['name'], String(row['value']).replace(/,(?! )/g, ', ')]),
    );
  }
  const relied = (): unknown =>
    Object.fromEntries(Object.entries(RELIED_ON).filter(([name]) => known.has(name)));

  const set = async (target: string, settings: Record<string, string>): Promise<void> => {
    // As a list where it is one: quoted as a whole it would be a single name.
    for (const [name, value] of Object.entries(settings))
      if (known.has(name))
        await asAdmin(`alter ${target} set ${name} = ${value.includes(',') ? value : `'${value}'`}`);
  };

  test.each([
    ['database', 'directly'],
    ['role', 'directly'],
    ['database', 'through PgBouncer'],
  ])('of the %s change nothing for a node that connects %s', async (on, how) => {
    if (how === 'through PgBouncer' && !pgbouncer) return;
    const target = on === 'database' ? `database ${database}` : `role ${role}`;
    for (const round of ROUNDS) {
      // PgBouncer's own connections wait between transactions, without a statement of Curfew: PostgreSQL would end them, and a
      // login on one is retried after 15 s.
      const { idle_session_timeout: _, ...spared } = round;
      await set(target, how === 'through PgBouncer' ? spared : round);
      const node = await openNode(
        how === 'through PgBouncer' && pgbouncer
          ? { DATABASE_URL: pgbouncer.through(url), CURFEW_STATEMENT_NAMES: '0' }
          : { DATABASE_URL: url },
      );
      try {
        expect(await lifeOfASession(node)).toEqual(LIVED);
        expect(await found(node)).toEqual(relied());
      } finally {
        await node.close();
        await asAdmin(`alter ${target} reset all`);
      }
    }
  });

  test('simultaneous logins do not refuse each other under a database of serializable transactions', async () => {
    await set(`database ${database}`, { default_transaction_isolation: 'serializable' });
    const node = await openNode({ DATABASE_URL: url, CURFEW_LOGIN_FAILURES_PAIR: '100' });
    try {
      const email = 'many@example.com';
      const facts = { email, name: '', workspace: '', role: 'user', passwordHash: 'quick:secret' } as const;
      await insertUser(node.world.database, facts, node.world.system.now());
      const logins = Array.from({ length: 24 }, () =>
        node.call('POST', '/v1/login', { body: { email, password: 'secret' } }),
      );
      const statuses = (await Promise.all(logins)).map(({ status }) => status);
      expect(statuses).toEqual(Array.from({ length: 24 }, () => 200));
    } finally {
      await node.close();
      await asAdmin(`alter database ${database} reset all`);
    }
  });

  test('a superuser’s session_replication_role is set back', async () => {
    await set(`database ${database}`, { session_replication_role: 'replica' });
    const node = await openNode({ DATABASE_URL: databaseUrl(adminUrl, database) });
    expect(await found(node)).toMatchObject({ session_replication_role: 'origin' });
    await node.close();
    await asAdmin(`alter database ${database} reset all`);
  });

  test('a stricter synchronous_commit is kept', async () => {
    await set(`database ${database}`, { synchronous_commit: 'remote_apply' });
    const node = await openNode({ DATABASE_URL: url });
    expect(await found(node)).toMatchObject({ synchronous_commit: 'remote_apply' });
    await node.close();
    await asAdmin(`alter database ${database} reset all`);
  });

  test.each([
    ['default_transaction_read_only', 'on', /default_transaction_read_only is on/],
    ['session_replication_role', 'replica', /session_replication_role is replica/],
  ])('%s = %s is refused at the start, by its name', async (name, value, sentence) => {
    await set(`database ${database}`, { [name]: value });
    try {
      await expect(openNode({ DATABASE_URL: url })).rejects.toThrow(sentence);
    } finally {
      await asAdmin(`alter database ${database} reset all`);
    }
  });

  test.each(['LATIN1', 'SQL_ASCII'])('a database in %s is refused, with advice', async (encoding) => {
    const name = `${database}_${encoding.toLowerCase()}`;
    await asAdmin(`create database ${name} encoding '${encoding}' template template0 locale 'C'`);
    await expect(openNode({ DATABASE_URL: databaseUrl(url, name) })).rejects.toThrow(
      /has the encoding .*CREATE DATABASE curfew TEMPLATE template0 ENCODING 'UTF8'/,
    );
    await asAdmin(`drop database ${name}`);
  });

  test('tables created under another search_path are not created again', async () => {
    const other = databaseUrl(adminUrl, `${database}_schema`);
    await asAdmin(`create database ${database}_schema`);
    const inSchema = { DATABASE_URL: other, CURFEW_DATABASE_SCHEMA: 'sessions' };
    await expect(openNode(inSchema)).rejects.toMatchObject({ code: '3F000' });
    await withClient(other, (client) => client.query('create schema sessions'));
    const node = await openNode(inSchema);
    expect(await lifeOfASession(node)).toEqual(LIVED);
    await node.close();
    await expect(openNode({ DATABASE_URL: other })).rejects.toThrow('Set CURFEW_DATABASE_SCHEMA=sessions');
    await asAdmin(`drop database ${database}_schema with (force)`);
  });
});
