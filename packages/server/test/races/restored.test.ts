/**
 * A dump restored into another PostgreSQL: the transaction ids in it, of events and of readers' cursors, are higher than the new
 * cluster's. Nothing is lost by it, and no reader gets the whole history again.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { audit } from '../../src/cluster/follow/audit.ts';
import type { Environment } from '../../src/config.ts';
import type { Database } from '../../src/store/database.ts';
import { cursorSince, readerCursor } from '../../src/store/log/cursors.ts';
import { readEndings } from '../../src/store/log/follow.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { beginEpoch } from '../../src/store/epoch.ts';
import { bringLogBack } from '../../src/store/restored.ts';
import { endingsPass } from '../services/passes.ts';
import { freshData } from '../services/embedded-data.ts';
import {
  createDatabase,
  findPostgres,
  type PostgresServer,
  startPostgres,
  withClient,
} from '../services/postgres.ts';
import { type Backend, backends, migrated, SERVICE_KEY, silent } from '../support.ts';
import { type Node, openNode } from './node.ts';
import { openQuickly } from '../services/open-embedded.ts';

const READER = 'stand-in';
const LONG_AGO = new Date('2026-01-01T00:00:00Z');
const WARNING = 'the database was restored from another PostgreSQL';

/** A separate server: an open transaction in any database of a server holds up the readers in all of them. */
let postgres: PostgresServer | undefined;
beforeAll(async () => {
  if (findPostgres() !== undefined) postgres = await startPostgres({ another: true });
});
afterAll(() => postgres?.stop());

const nodes: Node[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
});
async function start(settings: Environment): Promise<Node> {
  const node = await openNode(settings);
  nodes.push(node);
  return node;
}
const warned = (node: Node): boolean => node.lines.some((line) => line.includes(WARNING));

async function newPlace(backend: Backend): Promise<Environment> {
  if (backend === 'embedded') return { CURFEW_DATA: freshData('restored') };
  const url = await createDatabase(postgres?.url ?? '');
  await migrated.prepare(url);
  return { DATABASE_URL: url };
}

/** Works on the database while no node has it. */
async function aside<T>(settings: Environment, work: (database: Database) => Promise<T>): Promise<T> {
  const { CURFEW_DATA: directory, DATABASE_URL: url } = settings;
  const database =
    directory === undefined
      ? openPostgres({ url: url ?? '', pool: 4, statementNames: true, log: silent })
      : await openQuickly(directory);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Ends sessions that never existed, each in its own transaction. @returns the positions */
async function end(database: Database, count: number, at = new Date()): Promise<number[]> {
  const positions: number[] = [];
  for (let i = 0; i < count; i++) {
    const { rows } = await database.query({
      text: `insert into events (at, type, scope, reason, session_ids, user_id, actor)
        values ($1, 'sessions_ended', 'sessions', 'logout', array[$2::uuid], 1, 'user:1') returning position`,
      values: [at, randomUUID()],
    });
    positions.push(Number(rows[0]?.['position']));
  }
  return positions;
}

const FURTHER = 10_000_000;
/** The restored dump of a cluster whose ids are ten million higher. */
async function restore(database: Database, which = { events: true, cursors: true }): Promise<void> {
  const further = (column: string): string =>
    `${column} = (${column}::text::bigint + ${FURTHER})::text::xid8`;
  if (which.events) await database.query({ text: `update events set ${further('xid')}`, values: [] });
  const place = `place = (split_part(place, ':', 1)::bigint + ${FURTHER})::text`;
  if (which.cursors)
    await database.query({ text: `update readers set ${further('cursor')}, ${place}`, values: [] });
}

/** The events that the durable reader gets now. */
async function given(database: Database): Promise<number[]> {
  const positions: number[] = [];
  const deal = async (events: { position: number }[]): Promise<void> =>
    void positions.push(...events.map(({ position }) => position));
  await endingsPass(database, READER, deal)();
  return positions;
}

describe.each(backends())('a restored database, %s', (backend) => {
  test('its readers continue where they were, with the new events', async () => {
    const settings = await newPlace(backend);
    const { backlog } = await aside(settings, async (database) => {
      await readerCursor(database, READER);
      const dealt = await end(database, 20, LONG_AGO);
      expect(await given(database)).toEqual(dealt);
      const left = await end(database, 5, LONG_AGO);
      await restore(database);
      return { backlog: left };
    });

    const node = await start(settings);
    expect(warned(node)).toBe(true);
    const { database } = node.world;
    // No event twice: there is room for each in the order of transactions.
    expect(await given(database)).toEqual(backlog);
    const fresh = await end(database, 3);
    expect(await given(database)).toEqual(fresh);
    await node.world.readers.catchUp(audit);
    const { rows } = await database.query({
      text: 'select event_position from logs where event_position = any($1) order by 1',
      values: [[...backlog, ...fresh]],
    });
    expect(rows.map((row) => Number(row['event_position']))).toEqual([...backlog, ...fresh]);
  });

  test('a starting node reads recent events, not the whole history', async () => {
    const settings = await newPlace(backend);
    const young = await aside(settings, async (database) => {
      await end(database, 50, LONG_AGO);
      const positions = await end(database, 3);
      await restore(database);
      return positions;
    });
    const { database } = (await start(settings)).world;
    const cursor = await cursorSince(database, new Date(Date.now() - 600_000));
    const { events } = await readEndings(database, cursor, 1000);
    expect(events.map(({ position }) => position)).toEqual(young);
  });

  test('readers alone that were ahead read everything again, and nothing is lost', async () => {
    const settings = await newPlace(backend);
    await aside(settings, async (database) => {
      await readerCursor(database, READER);
      const dealt = await end(database, 4);
      expect(await given(database)).toEqual(dealt);
      await restore(database, { events: false, cursors: true });
      // By a program that did not look after it.
      const unseen = await end(database, 2);
      expect(await given(database)).toEqual([]);
      expect(await bringLogBack(database)).toMatchObject({ events: 0 });
      expect(await given(database)).toEqual([...dealt, ...unseen]);
    });
  });

  test('events written here before the repair are read too', async () => {
    const settings = await newPlace(backend);
    await aside(settings, async (database) => {
      await readerCursor(database, READER);
      const dealt = await end(database, 4);
      expect(await given(database)).toEqual(dealt);
      const left = await end(database, 2);
      // Its cursor is at the very first of them.
      await database.query({
        text: `update readers set cursor = (select min(xid) from events where position = any($1)) where name = $2`,
        values: [left, READER],
      });
      await restore(database);
      const unseen = await end(database, 2);
      expect(await bringLogBack(database)).toMatchObject({ events: 6 });
      expect(await given(database)).toEqual([...left, ...unseen]);
      expect(await bringLogBack(database)).toBeNull();
    });
  });

  test('more events than ids below the present: some come again, none is lost', async () => {
    const settings = await newPlace(backend);
    await aside(settings, async (database) => {
      await readerCursor(database, READER);
      await database.query({
        text: `insert into events (at, type, scope, reason, session_ids, actor, xid)
          select $1, 'sessions_ended', 'sessions', 'logout', '{}', 'system', n::text::xid8
          from generate_series(${FURTHER}, ${FURTHER} + 29999) n`,
        values: [LONG_AGO],
      });
      const cursor = FURTHER + 25_000;
      await database.query({
        text: `update readers set cursor = ${cursor}::text::xid8 where name = $1`,
        values: [READER],
      });
      const { rows } = await database.query({
        text: `select position from events where xid >= ${cursor}::text::xid8`,
        values: [],
      });
      expect(await bringLogBack(database)).toMatchObject({ events: 30_000 });
      const again = new Set(await given(database));
      expect(rows.filter((row) => !again.has(Number(row['position'])))).toEqual([]);
      expect(again.size).toBeLessThan(5000 + 200);
    });
  });

  test('the node that begins a new epoch lists the live API keys, and says how to revoke them', async () => {
    const settings = await newPlace(backend);
    const said = (node: Node): string[] =>
      node.lines.filter((line) => line.includes('curfew api-keys revoke-all --created-before 2'));
    const elsewhere = (): Promise<unknown> =>
      aside(settings, (database) =>
        database.query({ text: `update incarnation set identity = 'another server'`, values: [] }),
      );
    const first = await start(settings);
    const bearerOf = { bearer: SERVICE_KEY };
    const create = async (name: string): Promise<{ key: { id: number }; secret: string }> =>
      (await first.call('POST', '/v1/admin/api-keys', { ...bearerOf, body: { name, scopes: ['admin'] } }))
        .json;
    const [shop, over] = [await create('Shop'), await create('Over')];
    await first.call('DELETE', `/v1/admin/api-keys/${over.key.id}`, bearerOf);
    await first.close();
    nodes.splice(0);
    await elsewhere();

    const again = await start(settings);
    expect(said(first)).toEqual([]);
    expect(said(again)).toHaveLength(1);
    const { api_keys: keys } = JSON.parse(said(again)[0] ?? '') as { api_keys: unknown };
    expect(keys).toEqual([
      { id: shop.key.id, name: 'Shop', created_at: expect.any(String), last_used_at: null },
    ]);
    expect(said(again)[0]).not.toContain(shop.secret);
    await again.close();
    nodes.splice(0);
    const third = await start(settings);
    expect(said(third)).toEqual([]);
    // One node begins it; another that has seen the same finds it begun, and says nothing.
    expect(await beginEpoch(third.world.database, '1.begun', '1.begun')).toBe(false);
  });

  test('a database that was not restored is left alone', async () => {
    const settings = await newPlace(backend);
    const first = await start(settings);
    await end(first.world.database, 2);
    await first.close();
    nodes.splice(0);
    const again = await start(settings);
    expect([warned(first), warned(again)]).toEqual([false, false]);
  });
});

describe.runIf(backends().includes('postgres'))('a restored database, several nodes', () => {
  test('of a version without these columns: the node begins its epoch, and warns without the list', async () => {
    const settings = await newPlace('postgres');
    await aside(settings, async (database) => {
      await database.query({ text: `update incarnation set identity = 'another server'`, values: [] });
      await database.query({ text: 'alter table api_keys rename column created_by to made_by', values: [] });
    });
    const { lines } = await start(settings);
    const text = lines.join();
    expect(text).toContain('cannot list the API keys');
    expect(text).toContain('curfew api-keys revoke-all --created-before 2');
  });

  test('started at once: one repairs the log, and a logout on one node is true on all', async () => {
    const settings = await newPlace('postgres');
    await aside(settings, async (database) => {
      await readerCursor(database, READER);
      await end(database, 20);
      await restore(database);
    });
    const all = await Promise.all([start(settings), start(settings), start(settings)]);
    expect(all.filter(warned)).toHaveLength(1);
    const [here, there] = all as [Node, Node, Node];
    const bearerOf = { bearer: SERVICE_KEY };
    const made = await here.call('POST', '/v1/admin/users', {
      ...bearerOf,
      body: { email: 'a@example.com' },
    });
    const opened = await here.call('POST', '/v1/admin/sessions', {
      ...bearerOf,
      body: { user_id: made.json.user.id },
    });
    const bearer = opened.json.access_token;
    for (const node of all) expect((await node.call('GET', '/v1/check', { bearer })).status).toBe(200);
    expect((await here.call('POST', '/v1/logout', { bearer })).json).toMatchObject({
      confirmed: true,
      acknowledged: 2,
    });
    for (const node of all) expect((await node.call('GET', '/v1/check', { bearer })).status).toBe(401);
    await there.world.readers.catchUp(audit);
    const { rows } = await there.world.database.query({
      text: 'select event_type from logs where event_position = (select max(position) from events)',
      values: [],
    });
    expect(rows).toEqual([{ event_type: 'USER_LOGOUT' }]);
  });

  test('beside an open transaction: its late commit is read', async () => {
    const settings = await newPlace('postgres');
    await aside(settings, async (database) => {
      await readerCursor(database, READER);
      await end(database, 3);
      await given(database);
      await restore(database);
      await withClient(settings['DATABASE_URL'] ?? '', async (slow) => {
        await slow.query('begin');
        const { rows } = await slow.query<{ position: string }>(
          `insert into events (at, type, actor) values (now(), 'user_changed', 'system') returning position`,
        );
        await end(database, 1);
        await bringLogBack(database);
        await given(database);
        await slow.query('commit');
        expect(await given(database)).toContain(Number(rows[0]?.position));
      });
    });
  });
});
