/** A streaming standby of a test PostgreSQL: it can lag, lose commits that it has not received, and be promoted. */
import { execFile } from 'node:child_process';
import { chownSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openMovingAddress } from './moving-address.ts';
import { type PostgresServer, startPostgres, withClient } from './postgres.ts';
import { makeScratch, noteServer, scratchRootInMemory, unprivileged } from './scratch.ts';

/** The settings of a primary of {@link startStandby}: an answered commit is in the WAL, and sent. */
export const PRIMARY_SETTINGS: Record<string, string> = { synchronous_commit: 'on' };

export interface StandbyServer extends PostgresServer {
  /** Waits until everything that the primary has committed before the call is visible here. */
  caughtUp(): Promise<void>;
  /** Continues to receive, and shows nothing new until `resumeReplay` or `promote`, which replays it. */
  pauseReplay(): Promise<void>;
  resumeReplay(): Promise<void>;
  /** Stops receiving: later commits of the primary are lost when the standby is promoted. */
  cutOff(): void;
  /** Becomes a primary on its own timeline. The former primary is left alone. */
  promote(): Promise<void>;
}

/** Copies a running primary and follows it. `stop()` removes the copy. */
export async function startStandby(primary: PostgresServer): Promise<StandbyServer> {
  const scratch = makeScratch('standby', scratchRootInMemory());
  const dir = join(scratch, 'data');
  if (unprivileged !== undefined) chownSync(scratch, unprivileged.uid, unprivileged.gid);
  const replication = await openMovingAddress(primary.port);
  await copy(primary, dir);
  const server = await startPostgres({
    dir,
    settings: {
      ...PRIMARY_SETTINGS,
      primary_conninfo: `host=127.0.0.1 port=${replication.port} user=postgres application_name=standby`,
      hot_standby: 'on',
      wal_receiver_status_interval: '1s',
      // Of a primary that was away for a moment it is behind for a moment.
      wal_retrieve_retry_interval: '100ms',
    },
  });
  noteServer(scratch, Number(readFileSync(join(dir, 'postmaster.pid'), 'utf8').split('\n')[0]));
  return {
    ...server,
    async caughtUp() {
      const lsn = await ask<string>(primary.url, 'select pg_current_wal_insert_lsn()::text as answer');
      await askUntil(server.url, 'select pg_last_wal_replay_lsn() >= $1::pg_lsn as answer', true, [lsn]);
    },
    async pauseReplay() {
      await ask(server.url, 'select pg_wal_replay_pause() as answer');
      // Asked for, it comes with the next record or wait.
      await askUntil(server.url, 'select pg_get_wal_replay_pause_state() as answer', 'paused');
    },
    resumeReplay: async () => void (await ask(server.url, 'select pg_wal_replay_resume() as answer')),
    cutOff: () => replication.moveTo(null),
    async promote() {
      if (!(await ask<boolean>(server.url, 'select pg_promote(true, 60) as answer')))
        throw new Error('the standby was not promoted within a minute');
    },
    async stop() {
      await server.stop();
      await replication.close();
      rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Copies the files of a running server, marked as a standby's. */
async function copy(primary: PostgresServer, dir: string): Promise<void> {
  await withClient(primary.url, async (client) => {
    await client.query("select pg_backup_start('standby', true)");
    await promisify(execFile)('cp', ['-a', primary.dir, dir]);
    const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
    writeFileSync(join(dir, 'backup_label'), rows[0]?.labelfile ?? '');
  });
  rmSync(join(dir, 'postmaster.pid'), { force: true });
  writeFileSync(join(dir, 'standby.signal'), '');
  if (unprivileged !== undefined)
    for (const name of ['backup_label', 'standby.signal'])
      chownSync(join(dir, name), unprivileged.uid, unprivileged.gid);
}

/** What a server answers to a question for one value, `answer`. */
async function ask<T>(url: string, sql: string, values: unknown[] = []): Promise<T> {
  const { rows } = await withClient(url, (client) => client.query<{ answer: T }>(sql, values));
  if (!rows[0]) throw new Error(`no row: ${sql}`);
  return rows[0].answer;
}

async function askUntil(url: string, sql: string, wanted: unknown, values?: unknown[]): Promise<void> {
  while ((await ask(url, sql, values)) !== wanted) await new Promise((resolve) => setTimeout(resolve, 10));
}
