/**
 * Positions and transaction ids are drawn before the commit. However late a commit is, every durable reader of the log gets it,
 * and no cursor passes it (docs/guarantee.md, point 2). PostgreSQL only: the embedded database has one connection, so nothing can
 * be open beside a commit.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { markerPass } from '../../src/cluster/follow/marker.ts';
import type { Database } from '../../src/store/database.ts';
import { readerCursor } from '../../src/store/log/cursors.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { cut, MARKED_AT_ONCE } from '../../src/store/revoke-scope.ts';
import { rolling } from '../model/look.ts';
import { endingsPass, writeAuditRows } from '../services/passes.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../services/postgres.ts';
import { migrated, silent } from '../support.ts';

const INSERT = `insert into events (at, type, scope, reason, session_ids, user_id, actor)
  values (now(), 'sessions_ended', 'sessions', 'logout', array[$1::uuid], 1, 'user:1') returning position, xid::text as xid`;

/** An open transaction on its own connection that has appended an event. */
interface Late {
  position: number;
  xid: bigint;
  commit: () => Promise<void>;
  rollback: () => Promise<void>;
}

/** A durable reader, and the events that it got, in order. */
interface Durable {
  /** As the table `readers` has it. */
  name: string;
  pass: () => Promise<void>;
  given: () => Promise<number[]>;
}

describe.skipIf(findPostgres() === undefined)('late commits', () => {
  /** A separate server: an open transaction in any database of a server holds up the readers in all of them. */
  let postgres: PostgresServer;
  let url: string;
  let database: Database;
  const clients: pg.Client[] = [];
  beforeAll(async () => {
    postgres = await startPostgres();
    ({ url } = postgres);
    await migrated.prepare(url);
    database = openPostgres({ url, pool: 4, statementNames: true, log: silent });
  });
  afterAll(async () => {
    await database.close();
    await postgres.stop();
  });
  beforeEach(async () => {
    for (const table of ['events', 'logs', 'readers'])
      await database.query({ text: `delete from ${table}`, values: [] });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.end();
  });

  /** Ends a session in a transaction that is over at once. */
  async function end(): Promise<number> {
    const { rows } = await database.query({ text: INSERT, values: [randomUUID()] });
    return Number(rows[0]?.['position']);
  }

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url });
    clients.push(client);
    await client.connect();
    return client;
  }

  async function endLate(): Promise<Late> {
    const client = await connect();
    await client.query('begin');
    const { rows } = await client.query<{ position: string; xid: string }>(INSERT, [randomUUID()]);
    const [row] = rows;
    if (!row) throw new Error('nothing was appended');
    return {
      position: Number(row.position),
      xid: BigInt(row.xid),
      commit: async () => void (await client.query('commit')),
      rollback: async () => void (await client.query('rollback')),
    };
  }

  async function cursorOf(name: string): Promise<bigint> {
    const { rows } = await database.query({
      text: 'select cursor::text as cursor from readers where name = $1',
      values: [name],
    });
    return BigInt(String(rows[0]?.['cursor']));
  }

  /** A reader in this process, as the evictor of cached copies is. */
  function reader(name: string, pageSize?: number): Durable {
    const positions: number[] = [];
    const deal = async (events: { position: number }[]): Promise<void> =>
      void positions.push(...events.map(({ position }) => position));
    return {
      name,
      pass: endingsPass(database, name, deal, pageSize),
      given: async () => positions,
    };
  }

  /** One whose process is killed after each pass: the next one has the cursor, and remembers nothing. */
  function restarted(name: string): Durable {
    const positions: number[] = [];
    return {
      name,
      async pass() {
        const one = reader(name);
        await one.pass();
        for (const position of await one.given()) if (!positions.includes(position)) positions.push(position);
      },
      given: async () => positions,
    };
  }

  function audit(atATime?: number): Durable {
    return {
      name: 'audit',
      pass: () => writeAuditRows(database, atATime),
      async given() {
        const { rows } = await database.query({
          text: 'select event_position from logs order by id',
          values: [],
        });
        return rows.map((row) => Number(row['event_position']));
      },
    };
  }

  const kinds: [string, () => Durable][] = [
    ['in one process', () => reader('one')],
    ['in pages of two', () => reader('pages', 2)],
    ['that begins anew each time', () => restarted('anew')],
    ['that writes the audit view', () => audit()],
    ['that writes the audit view two at a time', () => audit(2)],
  ];

  describe.each(kinds)('a reader %s', (_kind, make) => {
    let durable: Durable;
    beforeEach(async () => {
      durable = make();
      // It is there before anything happens, and begins at the present.
      await durable.pass();
    });

    test('gets a late commit when it commits, and its cursor waits below it', async () => {
      const before = await end();
      const late = await endLate();
      const after: number[] = [];
      for (let round = 0; round < 3; round++) {
        after.push(await end(), await end());
        await durable.pass();
        // Later ones do not wait.
        expect(await durable.given()).toEqual([before, ...after]);
        expect(await cursorOf(durable.name)).toBeLessThanOrEqual(late.xid);
      }
      await late.commit();
      await durable.pass();
      expect(await durable.given()).toEqual([before, ...after, late.position]);
      expect(await cursorOf(durable.name)).toBeGreaterThan(late.xid);
      await durable.pass();
      expect(await durable.given()).toEqual([before, ...after, late.position]);
    });

    test('gets the later of two open transactions first', async () => {
      const first = await endLate();
      const between = await end();
      const second = await endLate();
      const after = await end();
      await durable.pass();
      await second.commit();
      await durable.pass();
      expect(await durable.given()).toEqual([between, after, second.position]);
      expect(await cursorOf(durable.name)).toBeLessThanOrEqual(first.xid);
      await first.commit();
      await durable.pass();
      expect(await durable.given()).toEqual([between, after, second.position, first.position]);
    });

    test('does not wait for a transaction that was rolled back', async () => {
      const late = await endLate();
      const after = await end();
      await durable.pass();
      await late.rollback();
      await durable.pass();
      expect(await durable.given()).toEqual([after]);
      expect(await cursorOf(durable.name)).toBeGreaterThan(late.xid);
    });
  });

  test('gets the commit of a transaction that was open when it began', async () => {
    const late = await endLate();
    await end();
    await readerCursor(database, 'new');
    const durable = reader('new');
    await durable.pass();
    await late.commit();
    await durable.pass();
    expect(await durable.given()).toContain(late.position);
  });

  describe('the marker', () => {
    const at = new Date();
    const act = { at, actor: 'user:1', contract: 'v1', ipAddress: null, userAgent: '', requestId: null };
    const START = `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
        idle_seconds, idle_expires_at, expires_at)
      select gen_random_uuid(), $1, 'desk', 'd', 'v1', nextval('positions'), now(), now(), 600, now() + interval '1 hour',
        now() + interval '1 day' from generate_series(1, $2::int)`;
    let userId: number;
    beforeEach(async () => {
      const { rows } = await database.query({
        text: 'insert into users (email, created_at) values ($1, now()) returning id',
        values: [`${randomUUID()}@example.com`],
      });
      userId = Number(rows[0]?.['id']);
    });
    const unmarked = async (): Promise<number> => {
      const { rows } = await database.query({
        text: 'select count(*) as count from user_sessions where user_id = $1 and is_active',
        values: [userId],
      });
      return Number(rows[0]?.['count']);
    };
    async function inTransaction(): Promise<pg.Client> {
      const client = await connect();
      await client.query('begin');
      return client;
    }

    test('marks the rows of a cut that commits late', async () => {
      const mark = markerPass(database);
      await mark();
      const many = MARKED_AT_ONCE + 50;
      await database.query({ text: START, values: [userId, many] });
      const late = await inTransaction();
      await cut(late, { scope: 'user', userId }, act, 'admin_logout');
      for (let round = 0; round < 3; round++) {
        await end();
        await mark();
      }
      expect(await unmarked()).toBe(many);
      await late.query('commit');
      await mark();
      expect(await unmarked()).toBe(0);
    });

    test('marks the row of a login that was born below a cut and commits after it', async () => {
      const mark = markerPass(database);
      await mark();
      const login = await inTransaction();
      await login.query(START, [userId, 1]);
      await cut(database, { scope: 'user', userId }, act, 'admin_logout');
      await end();
      await mark();
      await login.query('commit');
      expect(await unmarked()).toBe(1);
      await mark();
      expect(await unmarked()).toBe(0);
    });

    test('keeps its cursor at the oldest cut, until every transaction is over that was open beside it', async () => {
      const mark = markerPass(database);
      await mark();
      const cutNow = async (): Promise<bigint> => {
        await cut(database, { scope: 'user', userId }, act, 'admin_logout');
        const { rows } = await database.query({
          text: 'select max(xid)::text as xid from events',
          values: [],
        });
        return BigInt(String(rows[0]?.['xid']));
      };
      const first = await cutNow();
      // It begins after the cut, and may have drawn its positions before it.
      const login = await inTransaction();
      await login.query('select pg_current_xact_id()');
      await mark();
      const second = await cutNow();
      await mark();
      expect(await cursorOf('marker')).toBeLessThanOrEqual(first);
      await login.query('commit');
      await mark();
      expect(await cursorOf('marker')).toBeGreaterThan(second);
    });
  });

  test.each([1, 2, 3, 4, 5])(
    'in any order, all commits are read, and no cursor passes an open transaction (seed %i)',
    async (seed) => {
      const roll = rolling(seed);
      const readers = kinds.map(([, make]) => make()).filter(({ name }, i) => name !== 'audit' || i === 3);
      for (const { pass } of readers) await pass();
      const open: Late[] = [];
      const committed = new Set<number>();
      for (let step = 0; step < 60; step++) {
        const one = roll(10);
        if (one < 2 && open.length < 4) open.push(await endLate());
        else if (one < 4 && open.length > 0) {
          const [late] = open.splice(roll(open.length), 1) as [Late];
          if (roll(4) === 0) await late.rollback();
          else {
            await late.commit();
            committed.add(late.position);
          }
        } else if (one < 7) committed.add(await end());
        else await readers[roll(readers.length)]?.pass();
        for (const { name } of readers)
          for (const { xid } of open) expect(await cursorOf(name)).toBeLessThanOrEqual(xid);
      }
      for (const late of open) {
        await late.commit();
        committed.add(late.position);
      }
      for (const { name, pass, given } of readers) {
        await pass();
        expect([name, (await given()).toSorted((a, b) => a - b)]).toEqual([
          name,
          [...committed].toSorted((a, b) => a - b),
        ]);
      }
    },
  );
});
