import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import type { Database } from './database.ts';
import { Lanes } from './lanes.ts';
import { numericBigints } from './postgres.ts';
import type { Queryable } from './statement.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** Another process has the directory open. */
export class DirectoryInUse extends Error {
  override name = 'DirectoryInUse';
}

/**
 * PGlite in a data directory, for trial and development: real PostgreSQL in this process, through the same driver.
 * It never calls fsync, and two processes on one directory would corrupt it, so the directory is locked first.
 * @throws DirectoryInUse
 */
export async function openEmbedded(directory: string): Promise<Database> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(directory);
  // Loaded only where it is used: whoever has a PostgreSQL starts without it.
  const [{ PGlite: Engine }, { createPgConfig }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('@electric-sql/pglite/node-postgres'),
  ]);
  let engine: PGlite;
  try {
    engine = await Engine.create({
      dataDir: join(directory, 'database'),
      // Half the memory of the default (measured), and more than the trial needs.
      postgresqlconf: 'shared_buffers = 16MB\n',
    });
    // The one session of this database; see postgres.ts.
    await engine.exec(
      'set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set join_collapse_limit = 1;',
    );
  } catch (error) {
    unlock();
    throw error;
  }
  // One connection: two on this bridge would share one session, and one's rollback would undo the other's insert.
  const pool = new pg.Pool(
    Object.assign(createPgConfig(engine), {
      max: 1,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      types: numericBigints,
    }),
  );
  pool.on('error', () => undefined);
  // Nothing can be kept for anybody; logouts and checks come first.
  const lanes = new Lanes(1, CONNECT_TIMEOUT_MS);

  return {
    sole: true,
    description: `embedded database in ${directory}`,
    query: ({ lane = 'other', ...config }) => lanes.run(lane, () => pool.query(config)),
    transaction: (work, lane = 'other') =>
      lanes.run(lane, async () => {
        const client = await pool.connect();
        try {
          await client.query('begin');
          const result = await work(client as Queryable);
          await client.query('commit');
          return result;
        } catch (error) {
          await client.query('rollback');
          throw error;
        } finally {
          client.release();
        }
      }),
    // Nobody else can ring: this process is the only one.
    listen: async () => async () => undefined,
    async close() {
      await pool.end();
      await engine.close();
      unlock();
    },
  };
}

/**
 * SQLite's file lock, because the operating system takes it back from a process that is killed. A pid file would not
 * be.
 */
function lockDirectory(directory: string): () => void {
  const lock = new DatabaseSync(join(directory, 'lock'));
  try {
    lock.exec('pragma locking_mode = exclusive; begin exclusive;');
  } catch (error) {
    lock.close();
    if (error instanceof Error && error.message.includes('locked'))
      throw new DirectoryInUse(
        `another Curfew process has ${directory} open. Stop it first, or give this one its own directory with CURFEW_DATA.`,
      );
    throw error;
  }
  return () => lock.close();
}
