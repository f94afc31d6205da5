/** Connections by purpose: waiting work holds up nothing of higher priority. */
import { describe, expect, test, vi } from 'vitest';
import { Lanes } from '../../src/store/lanes.ts';
import type { Lane } from '../../src/store/statement.ts';
import { realTimers } from '../../src/system/timers.ts';
import { nextTurn, type Node, openPlace, type Place, until } from '../races/node.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { openHandClock } from '../services/hand-clock.ts';
import { withClient } from '../services/postgres.ts';

/** Work that waits until it is released. */
function held(): { work: () => Promise<void>; letGo: () => void; running: () => number } {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    work: () =>
      new Promise((resolve) => {
        running++;
        waiting.push(resolve);
      }),
    letGo: () => waiting.shift()?.(),
    running: () => running,
  };
}

describe('lanes', () => {
  /** How many of one lane run at once, of as many as one likes. */
  async function most(connections: number, lane: Lane): Promise<number> {
    const lanes = new Lanes(connections, 60_000, realTimers);
    const { work, letGo, running } = held();
    const all = Array.from({ length: 300 }, () => lanes.run(lane, work));
    await nextTurn();
    const at = running();
    for (let i = 0; i < 300; i++) {
      letGo();
      await nextTurn();
    }
    await Promise.all(all);
    return at;
  }

  test.each([
    [1, 1, 1],
    [2, 1, 1],
    [3, 1, 1],
    [4, 1, 1],
    [10, 5, 6],
    [20, 11, 14],
    [200, 119, 158],
  ])('of %i connections other work takes %i at most, and checks %i', async (connections, other, check) => {
    expect([await most(connections, 'other'), await most(connections, 'check')]).toEqual([other, check]);
  });

  test.each([2, 3, 4, 5, 10, 50])(
    'of %i connections a logout and a node get one when all others are stuck',
    async (n) => {
      const lanes = new Lanes(n, 60_000, realTimers);
      const stuck = held();
      const all: Promise<void>[] = [];
      const flood = (lane: Lane): void => {
        for (let i = 0; i < 100; i++) all.push(lanes.run(lane, stuck.work));
      };
      flood('other');
      if (n > 2) flood('check');
      await nextTurn();
      expect(await lanes.run('ending', async () => 'ended')).toBe('ended');
      if (n > 3) flood('ending');
      expect(await lanes.run('node', async () => 'read')).toBe('read');
      expect(stuck.running()).toBeLessThanOrEqual(n);
      for (let i = 0; i < all.length; i++) {
        stuck.letGo();
        await nextTurn();
      }
      await Promise.all(all);
    },
  );

  test('of the work that waits for the only connection a logout goes first, and each lane has a turn', async () => {
    const lanes = new Lanes(1, 60_000, realTimers);
    const { work, letGo } = held();
    const order: Lane[] = [];
    const all = (['other', 'other', 'check', 'check', 'check', 'check', 'ending'] as const).map((lane) =>
      lanes.run(lane, () => {
        order.push(lane);
        return work();
      }),
    );
    for (let i = 0; i < all.length; i++) {
      await nextTurn();
      letGo();
    }
    await Promise.all(all);
    expect(order).toEqual(['other', 'ending', 'check', 'check', 'other', 'check', 'check']);
  });

  test('work that waits too long is rejected and leaves the queue', async () => {
    const clock = openHandClock();
    const lanes = new Lanes(1, 3000, clock);
    const { work, letGo } = held();
    const first = lanes.run('other', work);
    const second = lanes.run('other', work);
    clock.pass(2999);
    expect(await Promise.race([second, nextTurn()])).toBeUndefined();
    clock.pass(1);
    await expect(second).rejects.toThrow('all database connections for this kind of work');
    letGo();
    await first;
    expect(await lanes.run('other', async () => 'done')).toBe('done');
  });

  test('failed work returns its connection', async () => {
    const lanes = new Lanes(1, 1000, realTimers);
    await expect(lanes.run('check', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await lanes.run('other', async () => 'done')).toBe('done');
  });
});

describe.runIf(hasPostgres())('a locked table', () => {
  const POOL = 5;
  interface Locked {
    on: Place;
    node: Node;
    /** Statements that wait for a lock. */
    waiting: () => Promise<number>;
  }

  /** Holds a lock while the work is done, with every connection that may be waiting for it waiting. */
  async function whileLocked(
    settings: Record<string, string>,
    lock: string,
    flood: (node: Node, on: Place) => Promise<() => Promise<unknown>[]>,
    stuck: number,
    work: (locked: Locked) => Promise<void>,
  ): Promise<void> {
    const on = await openPlace('postgres', { CURFEW_DATABASE_POOL: String(POOL), ...settings });
    const node = on.at(0);
    const url = on.settings['DATABASE_URL'] ?? '';
    const begin = await flood(node, on);
    await withClient(url, async (client) => {
      const waiting = async (): Promise<number> => {
        const { rows } = await client.query<{ n: number }>(
          `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return rows[0]?.n ?? 0;
      };
      await client.query('begin');
      await client.query(lock);
      const flooded = begin();
      await until('all that may wait for the lock do', async () => (await waiting()) >= stuck);
      await work({ on, node, waiting });
      // Nothing of it went on meanwhile: the logout went past it.
      expect(await waiting()).toBeGreaterThanOrEqual(stuck);
      await client.query('rollback');
      await Promise.allSettled(flooded);
    });
    await on.close();
  }

  const logIn = async (
    node: Node,
    on: Place,
  ): Promise<{ bearer: string; refresh: string; opaque: string; named: string }> => {
    const { email } = await on.user();
    const v1 = await node.call('POST', '/v1/login', { body: { email, password: 'secret' } });
    const another = await node.call('POST', '/v1/login', { body: { email, password: 'secret' } });
    const token = await node.call('POST', '/api/v1/auth/login', { body: { email, password: 'secret' } });
    return {
      bearer: v1.json.access_token,
      refresh: v1.json.refresh_token,
      opaque: token.json.access_token,
      named: another.json.session.id,
    };
  };

  /** Endings of each kind, a check that memory of another node cannot answer, and readiness. */
  async function othersGoOn(
    { on, node }: Pick<Locked, 'on' | 'node'>,
    who: { bearer: string; opaque: string; named: string },
  ): Promise<void> {
    expect((await on.at(1).call('GET', '/v1/check', { bearer: who.opaque })).status).toBe(200);
    const one = await node.call('DELETE', `/v1/sessions/${who.named}`, { bearer: who.bearer });
    expect([one.status, one.json]).toMatchObject([200, { confirmed: true, ended: 1 }]);
    const logout = await node.call('POST', '/v1/logout', { bearer: who.bearer, body: { scope: 'all' } });
    expect([logout.status, logout.json]).toMatchObject([200, { confirmed: true, ended: 2 }]);
    for (const at of on.nodes) {
      expect((await at.call('GET', '/v1/check', { bearer: who.bearer })).status).toBe(401);
      expect((await at.call('GET', '/readyz')).status).toBe(200);
    }
  }

  test('thirty waiting logins delay no logout, no check and no node', async () => {
    let who = { bearer: '', opaque: '', named: '' };
    await whileLocked(
      {},
      'lock table login_limits',
      async (node, on) => {
        who = await logIn(node, on);
        const { email } = await on.user();
        return () =>
          Array.from({ length: 30 }, () =>
            node.call('POST', '/v1/login', { body: { email, password: 'secret' } }),
          );
      },
      POOL - 3,
      (locked) => othersGoOn(locked, who),
    );
  });

  test('waiting refreshes, administrator’s changes and housekeeping delay no logout, no check and no node', async () => {
    let who = { bearer: '', opaque: '', named: '' };
    await whileLocked(
      {},
      // Reads go on: checks look into it too.
      'lock table tokens, login_limits in share row exclusive mode',
      async (node, on) => {
        who = await logIn(node, on);
        const others: { refresh: string }[] = [];
        for (let i = 0; i < 12; i++) others.push(await logIn(node, on));
        return () => [
          ...others.map(({ refresh }) =>
            node.call('POST', '/v1/refresh', { body: { refresh_token: refresh } }),
          ),
          ...Array.from({ length: 6 }, () =>
            node.world.database.query({ text: 'delete from login_limits', values: [] }),
          ),
        ];
      },
      POOL - 3,
      (locked) => othersGoOn(locked, who),
    );
  });

  test('waiting checks delay no logout', async () => {
    let who = { bearer: '', opaque: '', named: '' };
    await whileLocked(
      {},
      'lock table users',
      async (node, on) => {
        who = await logIn(node, on);
        const unknown: string[] = [];
        for (let i = 0; i < 12; i++) unknown.push((await logIn(on.at(1), on)).opaque);
        // Known to this node: nothing needs to be asked of its user.
        expect((await node.call('GET', '/v1/check', { bearer: who.bearer })).status).toBe(200);
        return () => unknown.map((bearer) => node.call('GET', '/v1/check', { bearer }));
      },
      POOL - 3,
      async ({ on, node }) => {
        const logout = await node.call('POST', '/v1/logout', { bearer: who.bearer, body: { scope: 'this' } });
        expect([logout.status, logout.json]).toMatchObject([200, { confirmed: true, ended: 1 }]);
        expect((await on.at(1).call('GET', '/readyz')).status).toBe(200);
      },
    );
  });

  test('the smallest pool has a connection for a logout', async () => {
    let who = { bearer: '', opaque: '', named: '' };
    await whileLocked(
      { CURFEW_DATABASE_POOL: '2' },
      'lock table login_limits',
      async (node, on) => {
        who = await logIn(node, on);
        const { email } = await on.user();
        return () =>
          Array.from({ length: 30 }, () =>
            node.call('POST', '/v1/login', { body: { email, password: 'secret' } }),
          );
      },
      1,
      (locked) => othersGoOn(locked, who),
    );
  });
});

// On PostgreSQL a lock holds the earlier work; see above. Here a transaction holds the only connection.
test('on the embedded database a logout overtakes the work that waits', async () => {
  const on = await openPlace('embedded');
  const node = on.at(0);
  const { email } = await on.user();
  const login = await node.call('POST', '/v1/login', { body: { email, password: 'secret' } });
  const { database } = node.world;
  const connection = held();
  const holding = database.transaction(connection.work);
  await until('the transaction runs', async () => connection.running() === 1);
  let done = 0;
  const before = Array.from({ length: 100 }, () =>
    database.query({ text: 'select 1', values: [] }).then(() => done++),
  );
  const asked = vi.spyOn(database, 'query');
  const logout = node.call('POST', '/v1/logout', {
    bearer: login.json.access_token,
    body: { scope: 'this' },
  });
  const ending = (): number => asked.mock.calls.findIndex(([{ lane }]) => lane === 'ending');
  await until('the logout waits for the connection', async () => ending() >= 0);
  const doneBefore = asked.mock.results[ending()]!.value.then(() => done);
  connection.letGo();
  // The last lane may have its turn first; see lanes.ts.
  expect(await doneBefore).toBeLessThanOrEqual(1);
  expect((await logout).json).toMatchObject({ confirmed: true, ended: 1 });
  await Promise.all([holding, ...before]);
  await on.close();
});
