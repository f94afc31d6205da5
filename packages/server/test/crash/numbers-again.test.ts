/**
 * A PostgreSQL that crashed may reuse transaction ids: those of transactions that had not reached the disk. A node that had read
 * up to them must not skip later commits under the same ids.
 */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { cursorSince } from '../../src/store/log/cursors.ts';
import { readEndings, readOn } from '../../src/store/log/follow.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { findPostgres, startPostgres, withClient } from '../services/postgres.ts';
import { migrated, silent } from '../support.ts';

const INSERT = `insert into events (at, type, scope, reason, session_ids, user_id, actor)
  values (now(), 'sessions_ended', 'sessions', 'logout', array[$1::uuid], 1, 'user:1') returning position, xid::text as xid`;

test.skipIf(findPostgres() === undefined).each([
  ['an empty log', 0],
  ['a log', 3],
])('a commit whose transaction id was used before the crash is read: %s', async (_log, before) => {
  // Asynchronous commits do not reach the disk by themselves during the test.
  const postgres = await startPostgres({
    durable: true,
    settings: { wal_writer_delay: '10s', bgwriter_lru_maxpages: '0', autovacuum: 'off' },
  });
  const { url } = postgres;
  const end = (): Promise<{ position: number; xid: bigint }> =>
    withClient(url, async (client) => {
      const { rows } = await client.query<{ position: string; xid: string }>(INSERT, [randomUUID()]);
      return { position: Number(rows[0]?.position), xid: BigInt(rows[0]?.xid ?? 0) };
    });
  const rollBack = (count: number): Promise<bigint> =>
    withClient(url, async (client) => {
      let xid = 0n;
      for (let i = 0; i < count; i++) {
        await client.query('begin');
        const { rows } = await client.query<{ xid: string }>(INSERT, [randomUUID()]);
        xid = BigInt(rows[0]?.xid ?? 0);
        await client.query('rollback');
      }
      return xid;
    });
  const database = openPostgres({ url, pool: 2, statementNames: true, log: silent });
  try {
    await migrated.prepare(url);
    for (let i = 0; i < before; i++) await end();
    await rollBack(10);
    const since = new Date(Date.now() - 600_000);
    let endings = await readEndings(database, await cursorSince(database, since), 100);
    let all = await readOn(database, await cursorSince(database, since), 100);
    const positions = (news: { events: readonly { position: number }[] }): number[] =>
      news.events.map(({ position }) => position);
    let givenAgain = false;
    // On a busy machine they may have reached the disk all the same, and then there is nothing to test.
    for (let round = 0; round < 10 && !givenAgain; round++) {
      const last = await rollBack(10);
      endings = await readEndings(database, endings.cursor, 100);
      all = await readOn(database, all.cursor, 100);
      await postgres.kill();
      await postgres.restart();
      const fresh = await end();
      givenAgain = fresh.xid <= last;
      endings = await readEndings(database, endings.cursor, 100);
      all = await readOn(database, all.cursor, 100);
      expect([positions(endings), positions(all)]).toEqual([[fresh.position], [fresh.position]]);
    }
    expect(givenAgain).toBe(true);
  } finally {
    await database.close();
    await postgres.stop();
  }
});
