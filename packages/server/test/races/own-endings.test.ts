/** A node's own endings are in its memory already: the log does not return them to that node again, and leaves out nothing else. */
import { watch } from '@curfew/protocol/replica';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDoorbell } from '../../src/cluster/nodes/doorbell.ts';
import { joinNodes, type Nodes } from '../../src/cluster/nodes/joined-node.ts';
import type { Database } from '../../src/store/database.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import type { Revocation } from '../../src/store/revocation.ts';
import { revokeEachSession } from '../../src/store/revoke-sessions.ts';
import { realSystem } from '../../src/system/real.ts';
import { findPostgres, type PostgresServer, startPostgres, withClient } from '../services/postgres.ts';
import { migrated, silent, testAuthenticator } from '../support.ts';
import { quickPasswords, SOMEBODY } from './node.ts';

/** Longer than this file takes: a node reads on demand, and once in a quarter of this. */
const LEASE_MS = 600_000;

// A separate PostgreSQL: an open transaction in any database of a server holds the cursors in all of them.
describe.skipIf(findPostgres() === undefined).each([2, 5000])(
  'a node and its own endings, %i at a time',
  (pageSize) => {
    let postgres: PostgresServer;
    let url: string;
    let database: Database;
    let node: Nodes;
    /** Session ids that the node's reads of the log have given it. */
    let given: string[] = [];
    let failing = false;
    let told: string[] = [];
    const system = realSystem(silent, quickPasswords());

    beforeAll(async () => {
      postgres = await startPostgres();
      ({ url } = postgres);
      await migrated.prepare(url);
      database = openPostgres({ url, pool: 4, statementNames: true, log: silent });
      const watched: Database = {
        ...database,
        async query(config) {
          if (config.name !== 'next_endings') return database.query(config);
          if (failing) throw new Error('the log cannot be read now');
          const result = await database.query(config);
          for (const { session_ids: sids } of result.rows as { session_ids: string[] | null }[])
            given.push(...(sids ?? []));
          return result;
        },
      };
      node = await joinNodes({
        database: watched,
        system,
        leaseMs: LEASE_MS,
        keepMs: 2 * LEASE_MS,
        pageSize,
        doorbell: openDoorbell(database, null, '', system, testAuthenticator),
      });
      node.onEnding((ending) => void told.push(...ending.ids));
    });
    afterAll(async () => {
      await node.close();
      await database.close();
      await postgres.stop();
    });

    /** Ends this many sessions, as logouts that arrive together do. */
    async function end(count: number): Promise<{ sids: string[]; endings: Revocation[] }> {
      const now = new Date();
      const sids = Array.from({ length: count }, () => system.uuid());
      await database.query({
        text: `insert into users (id, email, created_at) values (1, 'own@example.com', now()) on conflict do nothing`,
        values: [],
      });
      for (const sid of sids)
        await database.query({
          text: `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
                 idle_seconds, idle_expires_at, expires_at)
               values ($1, 1, 'default', 'd', 'v1', nextval('positions'), $2, $2, 900, $3, $3)`,
          values: [sid, now, new Date(now.getTime() + 900_000)],
        });
      const act = {
        at: now,
        actor: 'user:1',
        contract: 'v1' as const,
        ipAddress: null,
        userAgent: '',
        requestId: null,
      };
      const endings = await revokeEachSession(
        database,
        sids.map((sid) => ({ sid, userId: 1, act, reason: 'logout' as const })),
        'wait',
      );
      return { sids, endings: endings.filter((ending) => ending !== null && ending !== 'held') };
    }
    const holds = (sid: string): boolean => node.ends(watch({ ...SOMEBODY, sid }));
    const catchUp = (): Promise<void> =>
      new Promise((resolve, reject) => {
        node.node.catchUp((error) => (error ? reject(error as Error) : resolve()));
      });
    test('do not reach a session of another user by its name', async () => {
      const sid = system.uuid();
      const now = new Date();
      await database.query({
        text: `insert into users (id, email, created_at) values (1, 'own@example.com', now()) on conflict do nothing`,
        values: [],
      });
      await database.query({
        text: `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
               idle_seconds, idle_expires_at, expires_at)
             values ($1, 1, 'default', 'd', 'v1', nextval('positions'), $2, $2, 900, $3, $3)`,
        values: [sid, now, new Date(now.getTime() + 900_000)],
      });
      const act = {
        at: now,
        actor: 'user:2',
        contract: 'v1' as const,
        ipAddress: null,
        userAgent: '',
        requestId: null,
      };
      expect(await revokeEachSession(database, [{ sid, userId: 2, act, reason: 'logout' }], 'wait')).toEqual([
        null,
      ]);
      const { rows } = await database.query({
        text: 'select is_active from user_sessions where id = $1',
        values: [sid],
      });
      expect(rows).toEqual([{ is_active: true }]);
    });

    const begin = (): void => void ([given, told] = [[], []]);

    test('are not read again, and other nodes’ endings are', async () => {
      begin();
      const own = await end(5);
      node.committed(...own.endings);
      const theirs = await end(3);
      await catchUp();
      expect(given.toSorted()).toEqual(theirs.sids.toSorted());
      expect([...own.sids, ...theirs.sids].filter((sid) => !holds(sid))).toEqual([]);
      expect(told.toSorted()).toEqual([...own.sids, ...theirs.sids].toSorted());
    });

    test('are not read again while an older transaction holds the cursor', async () => {
      await withClient(url, async (slow) => {
        await slow.query('begin');
        await slow.query('select pg_current_xact_id()');
        begin();
        const first = await end(4);
        node.committed(...first.endings);
        await catchUp();
        const second = await end(4);
        node.committed(...second.endings);
        await catchUp();
        await catchUp();
        expect(given).toEqual([]);
        expect(told.toSorted()).toEqual([...first.sids, ...second.sids].toSorted());
        await slow.query('rollback');
      });
      await catchUp();
      await catchUp();
      expect(given).toEqual([]);
    });

    test('are not read again after a failed read', async () => {
      begin();
      const own = await end(3);
      node.committed(...own.endings);
      failing = true;
      await expect(catchUp()).rejects.toThrow('cannot be read now');
      failing = false;
      const theirs = await end(2);
      await catchUp();
      expect(given.toSorted()).toEqual(theirs.sids.toSorted());
      expect(told.toSorted()).toEqual([...own.sids, ...theirs.sids].toSorted());
    });

    test('are read if the node was not told of them', async () => {
      begin();
      const { sids } = await end(2);
      await catchUp();
      expect(given.toSorted()).toEqual(sids.toSorted());
      expect(sids.every(holds)).toBe(true);
    });
  },
);
