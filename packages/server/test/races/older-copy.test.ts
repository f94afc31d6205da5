/** The database goes back: an older copy, or a logical replica without the last commits, takes over the address. */
import { execFileSync } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Verifier } from '@curfew/verifier';
import { afterEach, describe, expect, test } from 'vitest';
import { migrate } from '../../src/store/migrate.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { databaseUrl, startPostgres, withClient } from '../services/postgres.ts';
import { PRIMARY_SETTINGS } from '../services/standby.ts';
import { silent } from '../support.ts';
import {
  check,
  closeAll,
  closers,
  endedOnce,
  eventually,
  isFresh,
  isOverFrom,
  LEASE_MS,
  logIn,
  logOut,
  newUser,
  type Node,
  openStage,
  type Session,
  type Stage,
} from './going-back.ts';
import { until } from './node.ts';

afterEach(closeAll);

/** Copies the server's files, and returns a function that puts the copy back. Both stop the server, which breaks its connections. */
async function copyFiles({ primary, address }: Stage): Promise<() => Promise<void>> {
  const stopped = async (work: () => void): Promise<void> => {
    address.moveTo(null);
    await primary.kill();
    rmSync(join(primary.dir, 'postmaster.pid'));
    work();
    await primary.restart();
  };
  const kept = `${primary.dir}-kept`;
  await stopped(() => execFileSync('cp', ['-a', primary.dir, kept]));
  address.moveTo(primary.port);
  return () =>
    stopped(() => {
      rmSync(primary.dir, { recursive: true });
      renameSync(kept, primary.dir);
    });
}

/** Copies all rows, and returns a function that puts them back, as a dump and its restore would. */
async function copyRows({ primary }: Stage): Promise<() => Promise<void>> {
  const alone = (...statements: string[]): Promise<void> =>
    withClient(primary.url, async (client) => {
      // As pg_restore does, with neither triggers nor foreign keys.
      await client.query('set session_replication_role = replica');
      await client.query(['begin', ...statements, 'commit'].join(';'));
    });
  const tables = await withClient(primary.url, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`,
    );
    return rows.map(({ name }) => name);
  });
  await alone(
    'create schema dump',
    'create table dump.at as select last_value from positions',
    ...tables.map((name) => `create table dump.${name} as select * from ${name}`),
  );
  return () =>
    alone(
      `truncate ${tables.join(', ')}`,
      ...tables.map((name) => `insert into ${name} overriding system value select * from dump.${name}`),
      `select setval('positions', last_value) from dump.at`,
    );
}

/** Ways in which operators bring another copy of the database to the nodes' address. Each answers how to move to it. */
const COPIES: [what: string, make: (stage: Stage) => Promise<() => Promise<number>>][] = [
  [
    'an older copy is put in its place on the same server',
    async ({ primary, address }) => {
      const { pathname } = new URL(primary.url);
      const name = pathname.slice(1);
      const aside = databaseUrl(primary.url, 'template1');
      const alone = (...statements: string[]): Promise<void> =>
        withClient(aside, async (client) => {
          address.moveTo(null);
          await until('nobody is connected', async () => {
            const { rows } = await client.query(
              `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
            );
            return rows.length === 0;
          });
          for (const statement of statements) await client.query(statement);
        });
      await alone(`create database earlier template ${name}`);
      address.moveTo(primary.port);
      return async () => {
        await alone(`drop database ${name}`, `alter database earlier rename to ${name}`);
        return primary.port;
      };
    },
  ],
  [
    'the files of an older copy are put back on the same server',
    async (stage) => {
      const putBack = await copyFiles(stage);
      return async () => {
        await putBack();
        return stage.primary.port;
      };
    },
  ],
  [
    'the rows of an older dump are put back into the same database',
    async (stage) => {
      const putBack = await copyRows(stage);
      return async () => {
        await putBack();
        return stage.primary.port;
      };
    },
  ],
  [
    'a logical replica takes over, which lacks the last commits',
    async ({ primary }) => {
      const replica = await startPostgres({ another: true, settings: PRIMARY_SETTINGS });
      // After the nodes, which close by writing to it.
      closers.unshift(() => replica.stop());
      const database = openPostgres({ url: replica.url, pool: 1, statementNames: true, log: silent });
      await migrate(database);
      await database.close();
      await withClient(primary.url, (client) => client.query('create publication nodes for all tables'));
      await withClient(replica.url, async (client) => {
        const { rows } = await client.query<{ tables: string }>(
          `select string_agg(quote_ident(tablename), ', ') as tables from pg_tables where schemaname = 'public'`,
        );
        await client.query(`truncate ${rows[0]?.tables}`);
        await client.query(
          `create subscription follow connection 'host=127.0.0.1 port=${primary.port} user=postgres dbname=postgres' publication nodes`,
        );
        await until('the copy is whole', async () => {
          const left = await client.query(`select 1 from pg_subscription_rel where srsubstate <> 'r'`);
          return left.rows.length === 0;
        });
        // Nothing more arrives: later commits will be lost.
        await client.query('alter subscription follow disable');
      });
      return async () => {
        await primary.kill();
        return replica.port;
      };
    },
  ],
];

describe.runIf(hasPostgres())('another copy comes to the address under running nodes', () => {
  test.each(COPIES)(
    '%s: a later logout is confirmed and true everywhere',
    async (_what, makeCopy) => {
      const stage = await openStage(LEASE_MS, { ...PRIMARY_SETTINGS, wal_level: 'logical' });
      const [a, b] = [await stage.node(), await stage.node()];
      const verifier = await stage.follow(b);
      const session = await logIn(a, await newUser(a));
      const other = await newUser(a);
      const move = await makeCopy(stage);
      await eventually('the nodes answer', async () => (await check(b, session)) === 200);
      const lost = await logIn(a, other);
      await logOut(a, { scope: 'user', user_id: other });
      const again = await logIn(a, other);
      await isFresh(verifier);
      expect(await verifier.verify(session.bearer)).toMatchObject({ ok: true, by: 'memory' });

      stage.address.moveTo(null);
      stage.address.moveTo(await move());
      expect(await logOut(a, { scope: 'user', user_id: session.userId })).toMatchObject({ confirmed: true });
      await isOverFrom(verifier, b, session);
      await endedOnce(a, session);
      await isFresh(verifier);
      for (const gone of [session, lost, again]) {
        expect((await verifier.verify(gone.bearer)).ok).toBe(false);
        for (const node of [a, b]) expect(await check(node, gone)).toBe(401);
      }
      const fresh = await logIn(a, session.userId);
      expect(await check(b, fresh)).toBe(200);
      expect(await verifier.verify(fresh.bearer)).toMatchObject({ ok: true });
      for (const node of [a, b]) expect(node.lines.join('')).toContain('the database went back in time');
    },
    180_000,
  );
});

describe.runIf(hasPostgres())('an older copy is put back on the same server while no node runs', () => {
  /** A node that knows nothing of the lost time, and a verifier that has gone on through it. */
  async function openLostTime(
    copy: (stage: Stage) => Promise<() => Promise<void>>,
  ): Promise<{ node: Node; verifier: Verifier; lost: Session[] }> {
    const stage = await openStage();
    const before = await stage.node();
    const verifier = await stage.follow(before);
    const users = [await newUser(before), await newUser(before)];
    const putBack = await copy(stage);
    await eventually('the node answers', async () => (await before.call('GET', '/readyz')).status === 200);
    const lost: Session[] = [];
    // Much else happens in the lost time.
    await withClient(stage.primary.url, (client) =>
      client.query(`select setval('positions', 100000 + last_value) from positions`),
    );
    for (const userId of users) lost.push(await logIn(before, userId));
    await isFresh(verifier);
    for (const { bearer } of lost) expect(await verifier.verify(bearer)).toMatchObject({ ok: true });
    await before.close();
    await putBack();
    stage.address.moveTo(stage.primary.port);
    const node = await stage.node(undefined, Number(new URL(before.url).port));
    return { node, verifier, lost };
  }

  /** Their loss cannot be noticed. Their credentials expire by themselves. */
  async function liveOn(verifier: Verifier, lost: Session[]): Promise<void> {
    await isFresh(verifier);
    for (const { bearer } of lost)
      expect(await verifier.verify(bearer)).toMatchObject({ ok: true, by: 'memory' });
  }

  async function areRefused(verifier: Verifier, lost: Session[]): Promise<void> {
    for (const { bearer } of lost)
      await eventually('the verifier has noticed', async () => !(await verifier.verify(bearer)).ok);
    await isFresh(verifier);
    for (const { bearer } of lost)
      expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'unknown' });
  }

  test('its rows, into the same database: the first node begins a new epoch', async () => {
    const { node, verifier, lost } = await openLostTime(copyRows);
    // Before anybody has shown a credential.
    await eventually('the node has begun anew', async () =>
      node.lines.join('').includes('went back in time'),
    );
    await areRefused(verifier, lost);
  }, 60_000);

  test('its files: a logout by scope covers sessions of the lost time', async () => {
    const { node, verifier, lost } = await openLostTime(copyFiles);
    await liveOn(verifier, lost);
    const [one, other] = lost as [Session, Session];
    expect(await logOut(node, { scope: 'user', user_id: one.userId })).toMatchObject({ confirmed: true });
    expect(await verifier.verify(one.bearer)).toMatchObject({ ok: false, reason: 'ended' });
    // The next one is as far above, and sessions in between are alive.
    const fresh = await logIn(node, one.userId);
    expect(await logOut(node, { scope: 'user', user_id: other.userId })).toMatchObject({ confirmed: true });
    expect(await verifier.verify(other.bearer)).toMatchObject({ ok: false, reason: 'ended' });
    expect(await verifier.verify(fresh.bearer)).toMatchObject({ ok: true });
  }, 60_000);

  test.each(['logout', 'check'])(
    'a %s with the token of a lost session begins a new epoch',
    async (what) => {
      const { node, verifier, lost } = await openLostTime(copyFiles);
      await liveOn(verifier, lost);
      const [one] = lost as [Session];
      const { status } =
        what === 'check'
          ? await node.call('GET', '/v1/check', { bearer: one.bearer })
          : await node.call('POST', '/v1/logout', { bearer: one.bearer, body: {} });
      expect(status).toBe(401);
      await eventually('the node has begun anew', async () =>
        node.lines.join('').includes('went back in time'),
      );
      for (const session of lost)
        await eventually('the verifier has noticed', async () => !(await verifier.verify(session.bearer)).ok);
      await isFresh(verifier);
      for (const { bearer } of lost)
        expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'unknown' });
    },
    60_000,
  );
});

describe.runIf(hasPostgres())('a session in a node’s memory whose row was lost', () => {
  test('its logout fails and begins a new epoch, after which its token is refused', async () => {
    const stage = await openStage();
    const node = await stage.node();
    const verifier = await stage.follow(node);
    const session = await logIn(node, await newUser(node));
    expect(await check(node, session)).toBe(200);
    expect(await verifier.verify(session.bearer)).toMatchObject({ ok: true });
    await withClient(stage.primary.url, (client) =>
      client.query('delete from user_sessions where id = $1', [session.sid]),
    );
    const { status, headers } = await node.call('POST', '/v1/logout', { bearer: session.bearer, body: {} });
    expect([status, headers.get('retry-after')]).toEqual([503, expect.anything()]);
    await eventually('the node answers', async () => (await check(node, session)) === 401);
    await eventually('the verifier has noticed', async () => !(await verifier.verify(session.bearer)).ok);
    await isFresh(verifier);
    expect(await verifier.verify(session.bearer)).toEqual({ ok: false, reason: 'unknown' });
  }, 60_000);
});

describe.runIf(hasPostgres())('a primary that restarts without a loss', () => {
  test('keeps its epoch: nothing begins anew', async () => {
    const stage = await openStage();
    const a = await stage.node();
    const verifier = await stage.follow(a);
    const session = await logIn(a, await newUser(a));
    await stage.primary.kill();
    await stage.primary.restart();
    await eventually('the node answers', async () => (await check(a, session)) === 200);
    await isFresh(verifier);
    expect(await verifier.verify(session.bearer)).toMatchObject({ ok: true, by: 'memory' });
    expect(await logOut(a, { scope: 'user', user_id: session.userId })).toMatchObject({
      confirmed: true,
      waited_out: 0,
    });
    await endedOnce(a, session);
    expect((await verifier.verify(session.bearer)).ok).toBe(false);
    expect(a.lines.join('')).not.toContain('the database went back in time');
  }, 60_000);
});
