/** A node, and the readers of the log, where one read has room for two events only. */
import { randomUUID } from 'node:crypto';
import { watch } from '@curfew/protocol/replica';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDoorbell } from '../../src/cluster/nodes/doorbell.ts';
import { joinNodes, type Nodes } from '../../src/cluster/nodes/joined-node.ts';
import type { Database } from '../../src/store/database.ts';
import type { EndingEvent } from '../../src/store/log/log-event.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { realSystem } from '../../src/system/real.ts';
import { endingsPass } from '../services/passes.ts';
import { findPostgres, type PostgresServer, startPostgres, withClient } from '../services/postgres.ts';
import { migrated, silent, testAuthenticator } from '../support.ts';
import { quickPasswords, SOMEBODY } from './node.ts';

const PAGE = 2;

// A separate PostgreSQL: an open transaction in any database of a server holds the cursors in all of them.
describe.skipIf(findPostgres() === undefined)('the log in small pages', () => {
  let postgres: PostgresServer;
  let url: string;
  let database: Database;
  const nodes: Nodes[] = [];
  beforeAll(async () => {
    postgres = await startPostgres();
    ({ url } = postgres);
    await migrated.prepare(url);
    database = openPostgres({ url, pool: 4, statementNames: true, log: silent });
  });
  afterAll(async () => {
    for (const node of nodes) await node.close();
    await database.close();
    await postgres.stop();
  });

  const system = realSystem(silent, quickPasswords());
  const insert = `insert into events (at, type, scope, session_ids, user_id, actor, reason)
    values (now(), 'sessions_ended', 'sessions', array[$1::uuid], 1, 'user:1', 'logout')`;
  async function end(count: number): Promise<string[]> {
    const sids = Array.from({ length: count }, () => system.uuid());
    for (const sid of sids) await database.query({ text: insert, values: [sid] });
    return sids;
  }
  const told: EndingEvent[] = [];
  const join = async (): Promise<Nodes> => {
    const node = await joinNodes({
      database,
      system,
      leaseMs: 2000,
      keepMs: 600_000,
      pageSize: PAGE,
      doorbell: openDoorbell(database, null, '', system, testAuthenticator),
    });
    node.onEnding((_, event) => void told.push(event));
    nodes.push(node);
    return node;
  };
  const holds = (node: Nodes, sid: string): boolean => node.ends(watch({ ...SOMEBODY, sid }));
  const missing = (node: Nodes, sids: readonly string[]): string[] => sids.filter((sid) => !holds(node, sid));
  const caughtUp = (node: Nodes): Promise<void> =>
    new Promise((resolve, reject) => {
      node.node.catchUp((error) => (error ? reject(error as Error) : resolve()));
    });

  test('a node is fresh exactly when it has read all of them', async () => {
    const before = await end(7);
    const node = await join();
    expect(node.node.isFresh()).toBe(true);
    expect(missing(node, before)).toEqual([]);
    await withClient(url, async (slow) => {
      await slow.query('begin');
      const late = randomUUID();
      await slow.query(insert, [late]);
      const after = await end(5);
      await caughtUp(node);
      expect(missing(node, after)).toEqual([]);
      expect(holds(node, late)).toBe(false);
      await slow.query('commit');
      await caughtUp(node);
      expect(holds(node, late)).toBe(true);
    });
    expect(new Set(told.map(({ position }) => position)).size).toBe(told.length);
  });

  test('a reader processes each event once, and continues at its cursor', async () => {
    const dealt: number[] = [];
    const deal = async (events: EndingEvent[]): Promise<void> => {
      expect(events.length).toBeLessThanOrEqual(PAGE);
      dealt.push(...events.map(({ position }) => position));
    };
    const pass = endingsPass(database, 'pages', deal, PAGE);
    await pass();
    dealt.length = 0;
    await end(5);
    await pass();
    await pass();
    expect(dealt).toHaveLength(5);
    expect(new Set(dealt).size).toBe(5);
    // Another process goes on from the cursor that was kept.
    await endingsPass(database, 'pages', deal, PAGE)();
    expect(dealt).toHaveLength(5);
  });
});
