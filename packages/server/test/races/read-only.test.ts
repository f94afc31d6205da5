/** A database address that leads to a standby that lags, or to a primary that is one no longer: no node answers from it. */
import { chownSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { insertUser } from '../../src/store/users.ts';
import { type MovingAddress, openMovingAddress } from '../services/moving-address.ts';
import { findPgbouncer, startPgbouncer } from '../services/pgbouncer.ts';
import { findPostgres, type PostgresServer, startPostgres, withClient } from '../services/postgres.ts';
import { requireService } from '../services/require.ts';
import { unprivileged } from '../services/scratch.ts';
import { PRIMARY_SETTINGS, type StandbyServer, startStandby } from '../services/standby.ts';
import { cookieOf, migrated, SERVICE_KEY } from '../support.ts';
import { type Node, openNode, until } from './node.ts';

const pgbouncerThere =
  requireService('PgBouncer', findPgbouncer(), 'install pgbouncer; the tests of poolers need it.') !==
  undefined;
const LEASE = { CURFEW_LEASE_MS: '400' };

describe.skipIf(findPostgres() === undefined)('a database that cannot be written to', () => {
  let primary: PostgresServer;
  let address: MovingAddress;
  beforeAll(async () => {
    primary = await startPostgres({ settings: PRIMARY_SETTINGS });
    await migrated.prepare(primary.url);
    address = await openMovingAddress(primary.port);
  });
  afterAll(async () => {
    await address.close();
    await primary.stop();
  });

  let users = 0;
  interface Credentials {
    v1: string;
    refresh: string;
    token: string;
    session: string;
    cookie: string;
    userId: number;
  }
  async function logInEverywhere(node: Node): Promise<Credentials> {
    const email = `user${++users}@example.com`;
    const facts = { email, name: '', workspace: '', role: 'user', passwordHash: 'quick:secret' } as const;
    const { id: userId } = await insertUser(node.world.database, facts, node.world.system.now());
    const body = { email, password: 'secret' };
    const v1 = await node.call('POST', '/v1/login', { body });
    const token = await node.call('POST', '/api/v1/auth/login', { body });
    const session = await node.call('POST', '/api/auth/login', {
      body: { username: email, password: 'secret' },
    });
    const cookie = await node.call('POST', '/auth/login', { body: { ...body, transport: 'cookie' } });
    return {
      v1: v1.json.access_token,
      refresh: v1.json.refresh_token,
      token: token.json.access_token,
      session: session.json.data.sessionToken,
      cookie: cookieOf(cookie),
      userId,
    };
  }

  /** Every route by which a node judges a session, with its answers. */
  async function doors(node: Node, who: Credentials): Promise<Record<string, number>> {
    const { v1, refresh, token, session, cookie, userId } = who;
    const introspect = (text: string) =>
      node.call('POST', '/oauth/introspect', {
        bearer: SERVICE_KEY,
        body: `token=${encodeURIComponent(text)}`,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
    const answers = {
      check: node.call('GET', '/v1/check', { bearer: v1 }),
      'check of a token': node.call('GET', '/v1/check', { bearer: token }),
      'check of a cookie': node.call('GET', '/v1/check', { cookie }),
      session: node.call('GET', '/v1/session', { bearer: v1 }),
      'session of a cookie': node.call('GET', '/v1/session', { cookie }),
      sessions: node.call('GET', '/v1/sessions', { bearer: v1 }),
      status: node.call('GET', '/api/v1/auth/status', { bearer: token }),
      profile: node.call('GET', '/auth/profile', { cookie }),
      user: node.call('GET', `/api/users/${userId}`, { bearer: session }),
      introspection: introspect(v1),
      'introspection of a token': introspect(token),
      refresh: node.call('POST', '/v1/refresh', { body: { refresh_token: refresh } }),
      readiness: node.call('GET', '/readyz'),
    };
    const statuses = Object.entries(answers).map(async ([name, answer]) => [name, (await answer).status]);
    return Object.fromEntries(await Promise.all(statuses));
  }
  /** Contract 002 has 500 for it. */
  const isRefused = (answers: Record<string, number>): boolean =>
    Object.values(answers).every((status) => status === 503 || status === 500);

  // A pooler's connections to its clients outlive those to the database: only the statement shows it.
  test.each(['directly', ...(pgbouncerThere ? ['through PgBouncer'] : [])])(
    'a lagging standby reached %s answers for no session that was ended on the primary',
    async (how) => {
      const standby: StandbyServer = await startStandby(primary);
      const url = address.instead(primary.url);
      const pgbouncer = how === 'directly' ? null : await startPgbouncer(url, { server_login_retry: '1' });
      const moved = await openNode({
        ...(pgbouncer
          ? { DATABASE_URL: pgbouncer.through(url), CURFEW_STATEMENT_NAMES: '0' }
          : { DATABASE_URL: url }),
        ...LEASE,
      });
      const other = await openNode({ DATABASE_URL: primary.url, ...LEASE });
      try {
        const who = await logInEverywhere(moved);
        const before = await doors(moved, who);
        expect(new Set(Object.values({ ...before, refresh: 200 }))).toEqual(new Set([200]));
        await standby.caughtUp();
        await standby.pauseReplay();
        address.moveTo(standby.port);

        const ended = await other.call('POST', '/v1/admin/logout', {
          bearer: SERVICE_KEY,
          body: { scope: 'user', user_id: who.userId },
        });
        expect(ended.json).toMatchObject({ confirmed: true });
        // From the answer on, and for longer than any memory is believed.
        for (let round = 0; round < 8; round++) {
          const answers = await doors(moved, who);
          expect([round, answers]).toEqual([round, expect.toSatisfy(isRefused)]);
        }
        expect(moved.lines.join('')).toMatch(/read-only(:| standby)/);

        address.moveTo(primary.port);
        await until(
          'the node is ready again',
          async () => (await moved.call('GET', '/readyz')).status === 200,
        );
        const after = await doors(moved, who);
        expect(after).toMatchObject({
          check: 401,
          session: 401,
          status: 401,
          profile: 401,
          introspection: 200,
        });
      } finally {
        await moved.close();
        await other.close();
        await pgbouncer?.stop();
        await standby.stop();
      }
    },
  );

  test('a primary fenced by default_transaction_read_only answers nothing over open connections', async () => {
    const node = await openNode({ DATABASE_URL: primary.url, ...LEASE });
    const who = await logInEverywhere(node);
    const fence = (sql: string): Promise<unknown> =>
      withClient(primary.url, async (client) => {
        await client.query(sql);
        await client.query('select pg_reload_conf()');
      });
    const listener = async (): Promise<unknown> => {
      const { rows } = await withClient(primary.url, (client) =>
        client.query<{ pid: number }>(`select pid from pg_stat_activity where query ilike 'listen %'`),
      );
      return rows[0]?.pid;
    };
    const listened = await listener();
    await fence('alter system set default_transaction_read_only = on');
    try {
      await until('the node is stale', async () => !node.world.nodes.node.isFresh());
      expect(await doors(node, who)).toEqual(expect.toSatisfy(isRefused));
      const logout = await node.call('POST', '/v1/logout', { bearer: who.v1, body: { scope: 'all' } });
      expect(logout.status).toBe(503);
      await expect(openNode({ DATABASE_URL: primary.url })).rejects.toThrow(
        'default_transaction_read_only is on',
      );
    } finally {
      await fence('alter system reset default_transaction_read_only');
    }
    await until('the node is ready again', async () => (await node.call('GET', '/readyz')).status === 200);
    expect((await node.call('GET', '/v1/check', { bearer: who.token })).status).toBe(200);
    // Its rings may come from elsewhere by now.
    await until(
      'the node listens anew',
      async () => ![undefined, listened].includes((await listener()) as never),
    );
    await node.close();
  });

  test('a primary that returns as a standby answers nothing', async () => {
    const node = await openNode({ DATABASE_URL: primary.url, ...LEASE });
    const who = await logInEverywhere(node);
    const signal = join(primary.dir, 'standby.signal');
    writeFileSync(signal, '');
    if (unprivileged) chownSync(signal, unprivileged.uid, unprivileged.gid);
    await primary.restart();
    try {
      await until('the node is stale', async () => !node.world.nodes.node.isFresh());
      expect(await doors(node, who)).toEqual(expect.toSatisfy(isRefused));
      await expect(openNode({ DATABASE_URL: primary.url })).rejects.toThrow('read-only standby');
    } finally {
      rmSync(signal);
      await primary.restart();
    }
    await until('the node is ready again', async () => (await node.call('GET', '/readyz')).status === 200);
    await node.close();
  });
});
