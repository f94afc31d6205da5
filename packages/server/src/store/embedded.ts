import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { realTimers, type Timers } from '../system/timers.ts';
import type { Database } from './database.ts';
import { type DiskFailure, diskFailureOf, renameDurably, syncAll, withDisk } from './durable-files.ts';
import { Lanes } from './lanes.ts';
import { numericBigints } from './postgres.ts';
import { closeToOthers, withoutOthers } from './private-directory.ts';
import type { Queryable } from './statement.ts';
import { DirectoryInUse } from './open-errors.ts';

const CONNECT_TIMEOUT_MS = 10_000;

export interface EmbeddedOptions {
  /** False for tests and trials: a commit is not synced to the disk, and a power cut can undo it. */
  fsync?: boolean;
  /** Called before each step that may take seconds. */
  onStep?: (what: string) => void;
  /** Called when the directory is locked and before it is opened; it refuses the directory by throwing. */
  onLocked?: () => void;
  /** Ends the process: see `withDisk`. */
  onFailure: (failure: DiskFailure) => never;
  timers?: Timers;
}

/**
 * Opens PGlite in a data directory: PostgreSQL in this process, through the same driver. A commit is on the disk before it is
 * answered. The directory is locked first, because two processes on it would corrupt it.
 * @throws DirectoryInUse, OpenDirectory, DiskFailure
 */
export async function openEmbedded(directory: string, options: EmbeddedOptions): Promise<Database> {
  try {
    return await open(directory, options);
  } catch (error) {
    throw diskFailureOf(directory, error);
  }
}

async function open(
  directory: string,
  {
    fsync = true,
    onStep = () => undefined,
    onLocked = () => undefined,
    onFailure,
    timers = realTimers,
  }: EmbeddedOptions,
): Promise<Database> {
  closeToOthers(directory);
  const unlock = lockDirectory(directory);
  let engine: PGlite;
  try {
    onLocked();
    engine = await startEngine(directory, fsync, onStep, onFailure);
  } catch (error) {
    unlock();
    throw error;
  }
  const { connected, disconnect } = await connectTo(engine);
  // One connection cannot be reserved; logouts and checks come first.
  const lanes = new Lanes(1, CONNECT_TIMEOUT_MS, timers);

  return {
    sole: true,
    description: `embedded database in ${directory}`,
    query: ({ lane = 'other', ...config }) =>
      lanes.run(lane, () => connected((client) => client.query(config))),
    transaction: (work, lane = 'other') =>
      lanes.run(lane, () =>
        connected(async (client) => {
          try {
            await client.query('begin');
            const result = await work(client as Queryable);
            await client.query('commit');
            return result;
          } catch (error) {
            await client.query('rollback');
            throw error;
          }
        }),
      ),
    // No other process can ring.
    listen: async () => async () => undefined,
    maintain: () => maintain((text) => lanes.run('other', () => connected((client) => client.query(text)))),
    async close() {
      await disconnect();
      await engine.close();
      unlock();
    },
  };
}

/**
 * Connects to the engine. The connection stays after a statement that fails: the engine has one session, and the next connection
 * would read the answers of this one.
 */
async function connectTo(engine: PGlite): Promise<{
  connected: <T>(work: (client: pg.PoolClient) => Promise<T>) => Promise<T>;
  disconnect: () => Promise<void>;
}> {
  const { createPgConfig } = await import('@electric-sql/pglite/node-postgres');
  // One connection: two on this bridge would share a session, and a rollback of one would undo the other's insert.
  const pool = new pg.Pool(
    Object.assign(createPgConfig(engine), {
      max: 1,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      types: numericBigints,
    }),
  );
  pool.on('error', () => undefined);
  return {
    async connected(work) {
      const client = await pool.connect();
      try {
        return await work(client);
      } finally {
        // Told of an error, the pool closes the connection; so does its own `query`.
        client.release();
      }
    },
    disconnect: () => pool.end(),
  };
}

async function startEngine(
  directory: string,
  fsync: boolean,
  onStep: (what: string) => void,
  onFailure: EmbeddedOptions['onFailure'],
): Promise<PGlite> {
  const dataDir = join(directory, 'database');
  const isNew = !existsSync(dataDir);
  onStep(
    isNew
      ? `creating the embedded database in ${directory}: this takes some seconds, once`
      : `opening the embedded database in ${directory}`,
  );
  // Imported here, so that Curfew on PostgreSQL starts without it.
  const [{ PGlite: Engine }, { NodeFS }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('@electric-sql/pglite/nodefs'),
  ]);
  const start = (where: string, durable: boolean): Promise<PGlite> => {
    mkdirSync(where, { recursive: true, mode: 0o700 });
    return Engine.create({
      fs: withDisk(withoutOthers(new NodeFS(where)), where, { fsync: durable, onFailure }),
      // Half the default's memory (measured), and enough for one machine.
      postgresqlconf: 'shared_buffers = 16MB\n',
      startParams: durable ? durableParams(Engine.defaultStartParams) : Engine.defaultStartParams,
    });
  };
  if (isNew) {
    // Built beside it, and renamed when it is whole: a process that is killed meanwhile leaves nothing that looks like a
    // database.
    const unfinished = join(directory, 'database.unfinished');
    rmSync(unfinished, { recursive: true, force: true });
    const made = await start(unfinished, false);
    await dropTemplates(made);
    await made.close();
    if (fsync) await syncAll(unfinished);
    renameDurably(unfinished, dataDir);
  } else if (fsync) await syncAll(dataDir);
  // A power cut can leave this file empty or with another process's id, and PostgreSQL then does not start (CreateLockFile in
  // miscinit.c). The directory is locked, so no process uses the database.
  rmSync(join(dataDir, 'postmaster.pid'), { force: true });
  const engine = await start(dataDir, fsync);
  // An earlier version may have created the directory.
  if (!isNew) await dropTemplates(engine);
  // The one session of this database; see postgres.ts.
  await engine.exec(
    'set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set join_collapse_limit = 1;',
  );
  return engine;
}

/**
 * PostgreSQL's template databases, of which no further database is made. VACUUM reaches only the connected database, so these
 * would age until PostgreSQL refuses transactions, at about two thousand million.
 */
async function dropTemplates(engine: PGlite): Promise<void> {
  const { rows } = await engine.query<{ datname: string }>(
    `update pg_database set datistemplate = false where datname in ('template0', 'template1') returning datname`,
  );
  for (const { datname } of rows) await engine.exec(`drop database ${datname}`);
}

/** The size of the write-ahead log at which a checkpoint runs; a crash replays this much. */
const CHECKPOINT_AFTER_BYTES = 64 * 1024 * 1024;

/** PGlite has neither checkpointer nor autovacuum: it never deletes write-ahead log or old row versions, and would fill the disk. */
async function maintain(query: (text: string) => Promise<pg.QueryResult>): Promise<void> {
  const { rows: tables } = await query(
    `select s.relid::regclass::text as name from pg_stat_all_tables s join pg_class c on c.oid = s.relid
     where s.n_dead_tup > 1000 + 0.2 * greatest(c.reltuples, 0) or age(c.relfrozenxid) > 200000000`,
  );
  for (const { name } of tables) await query(`vacuum (analyze) ${name}`);
  const { rows } = await query(
    'select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn) as bytes from pg_control_checkpoint()',
  );
  if (Number(rows[0].bytes) > CHECKPOINT_AFTER_BYTES) await query('checkpoint');
}

/**
 * PGlite's parameters, without the one that switches fsync off. PGlite syncs with this method only, because its fdatasync is
 * empty. No settings file can override the command line.
 */
function durableParams(defaults: readonly string[]): string[] {
  const settings = ['wal_sync_method=fsync', 'synchronous_commit=on', 'full_page_writes=on'];
  return [...defaults.filter((one) => one !== '-F'), ...settings.flatMap((one) => ['-c', one])];
}

/** SQLite's file lock, because the operating system releases it when a process is killed. The pid file beside it only names the process. */
export function lockDirectory(directory: string): () => void {
  const file = join(directory, 'lock');
  const holder = join(directory, 'lock.pid');
  // An existing one is not opened: closing it would release this process's own lock (POSIX record locks).
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
  const lock = new DatabaseSync(file);
  try {
    lock.exec('pragma locking_mode = exclusive; begin exclusive;');
  } catch (error) {
    lock.close();
    if (error instanceof Error && error.message.includes('locked'))
      throw new DirectoryInUse(
        `another Curfew process${nameOf(holder)} has ${directory} open. Stop it first, or give this one its own directory with CURFEW_DATA.`,
      );
    throw error;
  }
  writeFileSync(holder, `${process.pid} ${hostname()}\n`, { mode: 0o600 });
  return () => {
    // Before the next process writes its own.
    rmSync(holder, { force: true });
    lock.close();
  };
}

/** `, 4711,` for a running process of this machine. */
function nameOf(holder: string): string {
  try {
    const [, pid, host] = /^(\d+) (.*)\n$/.exec(readFileSync(holder, 'utf8')) ?? [];
    // In another container the same number is another process.
    if (pid === undefined || host !== hostname()) return '';
    process.kill(Number(pid), 0);
    return `, ${pid},`;
  } catch (error) {
    // A process that may not be signalled exists. The directory is this user's, but root may have used it.
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? ' of another user' : '';
  }
}
