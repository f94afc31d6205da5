import { readFile, statfs } from 'node:fs/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { createDatabase, startPostgres, withClient } from '../../packages/server/test/services/postgres.ts';
import { findRedis, startRedis } from '../../packages/server/test/services/redis.ts';

/** The real PostgreSQL and Redis that every candidate uses. */
export interface Services {
  /** A database for each candidate, so that no candidate pays for the rows of another. */
  makeDatabase(name: string): Promise<string>;
  redisUrl(database: number): string;
  /**
   * A Redis for one authority alone, because all databases of a Redis share their channels. Where it cannot start one, a database of the
   * given Redis.
   */
  ownRedis(database: number): Promise<string>;
  /** Makes a checkpoint before a round that counts commits, so that no round pays for the rows of the one before. */
  checkpoint(): Promise<void>;
  /** The processes whose trees belong to this run, wherever they were started. */
  pids: number[];
  /** PostgreSQL's and Redis's, as far as they run on this machine. */
  databases: { postgres: number[]; redis: number[] };
  facts: ServiceFacts;
  stop(): Promise<void>;
}

export interface ServiceFacts {
  postgres: string;
  redis: string;
  fsync: string;
  synchronousCommit: string;
  /** Set if the data are in a place where fsync does nothing. */
  diskWarning?: string;
}

const TMPFS = 0x01021994;

/**
 * `BENCH_DATABASE_URL` and `BENCH_REDIS_URL` name servers that run already (a superuser's address); otherwise both are started here. They
 * may use every core. Only the server in front of them is limited to one.
 */
export async function startServices(): Promise<Services> {
  const givenPostgres = process.env['BENCH_DATABASE_URL'];
  const givenRedis = process.env['BENCH_REDIS_URL'];
  const postgres =
    givenPostgres === undefined
      ? await startPostgres({ durable: true, settings: { shared_buffers: '256MB', max_wal_size: '4GB' } })
      : { url: givenPostgres, dir: undefined, stop: async () => {} };
  const redis = givenRedis === undefined ? await startRedis() : { url: givenRedis, stop: async () => {} };

  const admin = new pg.Pool({ connectionString: postgres.url, max: 1 });
  admin.on('error', () => {});
  const databases: Services['databases'] = { postgres: [], redis: [] };
  const own: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    await admin.end();
    await Promise.all([postgres.stop(), redis.stop(), ...own.map((stopOne) => stopOne())]);
  };
  try {
    const { rows } = await admin.query<{ version: string; fsync: string; commit: string; backend: number }>(
      `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
              current_setting('synchronous_commit') AS commit, pg_backend_pid() AS backend`,
    );
    const settings = rows[0];
    if (settings === undefined || settings.fsync !== 'on' || settings.commit !== 'on') {
      throw new Error(
        'PostgreSQL must run with fsync and synchronous_commit on: a logout that is not durable is no logout',
      );
    }
    const redisFacts = await redisInfo(redis.url);
    const diskWarning = await warnOfTmpfs(postgres.dir);
    databases.postgres.push(...[await parentOf(settings.backend)].filter(isKnown));
    databases.redis.push(...[redisFacts.pid].filter(isKnown));
    const redisUrl = (database: number): string => `${redis.url.replace(/\/\d*$/, '')}/${database}`;
    return {
      makeDatabase: (name) => createDatabase(postgres.url, undefined, `bench_${name}`),
      redisUrl,
      ownRedis: async (database) => {
        if (findRedis() === undefined) return redisUrl(database);
        const another = await startRedis();
        own.push(() => another.stop());
        const { pid } = await redisInfo(another.url);
        if (isKnown(pid)) databases.redis.push(pid);
        return another.url;
      },
      checkpoint: () => withClient(postgres.url, async (client) => void (await client.query('CHECKPOINT'))),
      get pids() {
        return [...databases.postgres, ...databases.redis];
      },
      databases,
      facts: {
        postgres: settings.version,
        redis: redisFacts.version,
        fsync: settings.fsync,
        synchronousCommit: settings.commit,
        ...(diskWarning === undefined ? {} : { diskWarning }),
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** In a file system in memory fsync returns at once, so every figure of a durable act would be too good. */
const isKnown = (pid: number): boolean => pid > 1;

async function warnOfTmpfs(dir: string | undefined): Promise<string | undefined> {
  if (dir === undefined) return undefined;
  const { type } = await statfs(dir);
  return type === TMPFS ? 'the temporary directory is in memory: set TMPDIR to a disk' : undefined;
}

async function redisInfo(url: string): Promise<{ version: string; pid: number }> {
  const redis = new Redis(url);
  try {
    const info = await redis.info('server');
    const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
    return { version: field('valkey_version') || field('redis_version'), pid: Number(field('process_id')) };
  } finally {
    redis.disconnect();
  }
}

/** The postmaster, from the process that serves our connection; 0 where /proc does not exist. */
async function parentOf(pid: number): Promise<number> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}
