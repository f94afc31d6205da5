/** An empty, or migrated, database on the shared PostgreSQL for one test file. */
import { inject } from 'vitest';
// Declares what the run provides.
import type {} from './global-setup.ts';
import { createDatabase, databaseUrl, withClient } from './postgres.ts';

interface Template {
  /** Names the template within this run: same name, same content. */
  name: string;
  /** Fills the template, for example with migrations. Runs once per test run; must close its connections. */
  prepare: (url: string) => Promise<void>;
}

/** Whether this run has a PostgreSQL: `describe.skipIf(!hasPostgres())`. */
export function hasPostgres(): boolean {
  return inject('postgresUrl') !== undefined;
}

/**
 * Makes a database, a copy of the template when one is given (a few dozen milliseconds), and answers its address. It
 * is dropped when the test file ends.
 */
export async function freshDatabase(template?: Template): Promise<string> {
  const adminUrl = inject('postgresUrl');
  if (adminUrl === undefined) throw new Error('this run has no PostgreSQL: guard with hasPostgres()');
  const prefix = inject('databasePrefix');
  const name = template && `${prefix}_template_${template.name}`;
  if (template && name) await ensureTemplate(adminUrl, name, template.prepare);
  const url = await createDatabase(adminUrl, name, prefix);
  made.add(new URL(url).pathname.slice(1));
  return url;
}

const made = new Set<string>();

/** Drops the file's databases, which lie in memory. One that is still connected stays until the next file ends. */
export async function dropFileDatabases(): Promise<void> {
  const adminUrl = inject('postgresUrl');
  if (adminUrl === undefined || made.size === 0) return;
  await withClient(adminUrl, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      `select datname from pg_database d where datname = any($1)
       and not exists (select from pg_stat_activity a where a.datid = d.oid)`,
      [[...made]],
    );
    for (const { datname } of rows) {
      await client.query(`drop database if exists "${datname}"`);
      made.delete(datname);
    }
  });
}

const ready = new Set<string>();

async function ensureTemplate(adminUrl: string, name: string, prepare: Template['prepare']): Promise<void> {
  if (ready.has(name)) return;
  await withClient(adminUrl, async (client) => {
    // Workers are processes, so the lock that lets one of them prepare lives in the server.
    await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [name]);
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (found.rowCount === 0) {
      // Built under another name: a template that failed half-way is never taken for a finished one.
      const unfinished = `${name}_unfinished`;
      await client.query(`DROP DATABASE IF EXISTS "${unfinished}" WITH (FORCE)`);
      await client.query(`CREATE DATABASE "${unfinished}"`);
      await prepare(databaseUrl(adminUrl, unfinished));
      await client.query(`ALTER DATABASE "${unfinished}" RENAME TO "${name}"`);
    }
  });
  ready.add(name);
}
