/** `curfew move`: everything of an embedded database, in a PostgreSQL. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { moveDatabase, Moved, MoveError } from '../../src/store/move.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import type { Queryable } from '../../src/store/statement.ts';
import { freshData } from '../services/embedded-data.ts';
import { openQuickly } from '../services/open-embedded.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { makeFileScratch } from '../services/scratch.ts';
import { ISSUER, migrated, SERVICE_KEY, silent } from '../support.ts';
import { type Node, openNode } from '../races/node.ts';

const NOW = new Date('2026-07-01T12:00:00Z');
const TO = 'postgres://db.example/curfew';
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(settings: Record<string, string>): Promise<Node & { stop: () => Promise<void> }> {
  const node = await openNode({ ISSUER, CURFEW_EMBEDDED_FSYNC: '0', ...settings });
  let open = true;
  const stop = async (): Promise<void> => {
    if (open) await node.close();
    open = false;
  };
  closers.push(stop);
  return { ...node, stop };
}

async function targetAt(url: string): Promise<Database> {
  const target = openPostgres({ url, pool: 2, statementNames: true, log: silent });
  closers.push(() => target.close());
  return target;
}

type Transaction = (work: (on: Queryable) => Promise<unknown>) => Promise<void>;

/** The database with other transactions. @param cut whether nothing is answered after one that throws */
function instead(target: Database, cut: boolean, transaction: Transaction): Database {
  let away = false;
  return {
    ...target,
    query: async (config) => {
      if (away) throw new Error('the line is cut');
      return target.query(config);
    },
    transaction: async <T>(work: (on: Queryable) => Promise<T>) => {
      let result: T | undefined;
      await transaction(async (on) => (result = await work(on))).catch((error: unknown) => {
        away = cut;
        throw error;
      });
      return result as T;
    },
  };
}

const filled = async (on: Queryable): Promise<boolean> =>
  (await on.query({ text: 'select 1 from users', values: [] })).rows.length > 0;

async function logIn(node: Node, userId: number): Promise<string> {
  const { json } = await node.call<{ access_token: string }>('POST', '/v1/admin/sessions', {
    bearer: SERVICE_KEY,
    body: { user_id: userId },
  });
  return json.access_token;
}

const check = async (node: Node, bearer: string): Promise<number> =>
  (await node.call('GET', '/v1/check', { bearer })).status;

const positions = async (node: Node): Promise<number[]> =>
  (
    await node.call<{ events: { position: number }[] }>('GET', '/v1/admin/events?limit=500', {
      bearer: SERVICE_KEY,
    })
  ).json.events.map(({ position }) => position);

/** A directory that has been served: users, sessions, logouts of every kind, and which sessions are alive. */
async function openFull(): Promise<{ directory: string; alive: string[]; over: string[]; log: number[] }> {
  const directory = freshData('moved');
  const node = await serve({ CURFEW_DATA: directory });
  const alive: string[] = [];
  const over: string[] = [];
  for (const name of ['Ada', 'Łukasz', 'O’Neill "\\']) {
    const { json } = await node.call<{ user: { id: number } }>('POST', '/v1/admin/users', {
      bearer: SERVICE_KEY,
      body: { email: `${crypto.randomUUID()}@example.com`, password: 'a long enough password', name },
    });
    const { id } = json.user;
    over.push(await logIn(node, id), await logIn(node, id));
    await node.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'user', user_id: id },
    });
    over.push(await logIn(node, id));
    await node.call('POST', '/v1/logout', { bearer: over.at(-1) as string, body: {} });
    alive.push(await logIn(node, id));
  }
  const log = await positions(node);
  await node.stop();
  return { directory, alive, over, log };
}

describe.runIf(hasPostgres())('a move into PostgreSQL', () => {
  test('moves everything: live sessions stay alive, ended ones stay ended', async () => {
    const { directory, alive, over, log } = await openFull();
    const url = await freshDatabase();
    const seen: string[] = [];
    const moved = await moveDatabase(directory, openQuickly, await targetAt(url), TO, NOW, (table, rows) => {
      seen.push(table);
      expect(rows).toBeGreaterThanOrEqual(0);
    });
    expect(moved.map(({ table }) => table)).toEqual(seen);
    expect(moved).toContainEqual({ table: 'users', rows: 3 });
    expect(moved).toContainEqual({ table: 'user_sessions', rows: 12 });
    expect(seen.indexOf('users')).toBeLessThan(seen.indexOf('user_sessions'));

    const key = readFileSync(join(directory, 'curfew.key'), 'utf8').trim();
    const node = await serve({ DATABASE_URL: url, CURFEW_KEY: key });
    for (const bearer of alive) expect(await check(node, bearer)).toBe(200);
    for (const bearer of over) expect(await check(node, bearer)).toBe(401);
    expect((await positions(node)).filter((one) => log.includes(one))).toEqual(log);
    const last = await logIn(node, 1);
    expect(await check(node, last)).toBe(200);
    expect(Math.max(...(await positions(node)))).toBeGreaterThan(Math.max(...log));
    const { status } = await node.call('POST', '/v1/admin/users', {
      bearer: SERVICE_KEY,
      body: { email: 'new@example.com', password: 'a long enough password' },
    });
    expect(status).toBeLessThan(300);

    // The source names the target, also the second time.
    await expect(serve({ CURFEW_DATA: directory })).rejects.toThrow(Moved);
    await expect(serve({ CURFEW_DATA: directory })).rejects.toThrow(
      /moved to postgres:\/\/db\.example\/curfew on 2026-07-01/,
    );
    const elsewhere = await targetAt(await freshDatabase());
    await expect(
      moveDatabase(directory, openQuickly, elsewhere, 'postgres://other/curfew', NOW),
    ).rejects.toThrow(MoveError);
  }, 120_000);

  test('is refused where there is no database to move, and makes none', async () => {
    const directory = join(makeFileScratch('move'), 'none');
    const target = await targetAt(await freshDatabase());
    await expect(moveDatabase(directory, openQuickly, target, TO, NOW)).rejects.toThrow(
      /there is no database in .*none/,
    );
    expect(existsSync(directory)).toBe(false);
  });

  test('is refused where the target has rows, and leaves the source alone', async () => {
    const { directory, alive } = await openFull();
    const target = await targetAt(await freshDatabase(migrated));
    await target.query({
      text: `insert into cuts (key, position, base) values ('user:1', 1, 1)`,
      values: [],
    });
    await expect(moveDatabase(directory, openQuickly, target, TO, NOW)).rejects.toThrow(
      /not empty: cuts has rows/,
    );
    const node = await serve({ CURFEW_DATA: directory });
    expect(await check(node, alive[0] as string)).toBe(200);
    // Whose server runs.
    await expect(moveDatabase(directory, openQuickly, target, TO, NOW)).rejects.toThrow(/has .* open/);
  }, 120_000);

  test('that fails on its way leaves nothing there, and can be repeated', async () => {
    const { directory, alive } = await openFull();
    const target = await targetAt(await freshDatabase(migrated));
    const losing = instead(target, false, async (work) => {
      await target.transaction((on) =>
        work({
          query: async (config) =>
            config.text.startsWith('insert into events')
              ? on.query({ text: 'select 1', values: [] })
              : on.query(config),
        }),
      );
    });
    await expect(moveDatabase(directory, openQuickly, losing, TO, NOW)).rejects.toThrow(
      /events did not arrive complete/,
    );
    const failing = instead(target, false, (work) =>
      target.transaction(async (on) => {
        await work({
          query: async (config) => {
            if (config.text.startsWith('comment')) throw new Error('the line is cut');
            return on.query(config);
          },
        });
      }),
    );
    await expect(moveDatabase(directory, openQuickly, failing, TO, NOW)).rejects.toThrow('the line is cut');
    expect(existsSync(join(directory, 'moved.json'))).toBe(false);
    expect((await target.query({ text: 'select 1 from users', values: [] })).rows).toEqual([]);
    const node = await serve({ CURFEW_DATA: directory });
    expect(await check(node, alive[0] as string)).toBe(200);
    await node.stop();

    // The answer to the commit is lost, and the target is unreachable: the next run finds the move complete.
    const unheard = instead(target, true, async (work) => {
      await target.transaction(work);
      if (await filled(target)) throw new Error('the line is cut');
    });
    await expect(moveDatabase(directory, openQuickly, unheard, TO, NOW)).rejects.toThrow('the line is cut');
    await expect(serve({ CURFEW_DATA: directory })).rejects.toThrow(/was interrupted/);
    const moved = await moveDatabase(directory, openQuickly, target, TO, NOW);
    expect(moved).toContainEqual({ table: 'user_sessions', rows: 12 });
    await expect(serve({ CURFEW_DATA: directory })).rejects.toThrow(/was moved/);
    // A second move, to a new database of the same name, would revive sessions that were logged out since.
    const emptied = await targetAt(await freshDatabase());
    await expect(moveDatabase(directory, openQuickly, emptied, TO, NOW)).rejects.toThrow(/second time/);
  }, 120_000);
});
