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
 * is dropped when the run ends.
 */
export async function freshDatabase(template?: Template): Promise<string> {
  const adminUrl = inject('postgresUrl');
  if (adminUrl === undefined) throw new Error('this run has no PostgreSQL: guard with hasPostgres()');
  const prefix = inject('databasePrefix');
  if (template === undefined) return createDatabase(adminUrl, undefined, prefix);
  const name = `${prefix}_template_${template.name}`;
  await ensureTemplate(adminUrl, name, template.prepare);
  return createDatabase(adminUrl, name, prefix);
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
