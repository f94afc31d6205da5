/** The database goes back under running nodes: a standby that lacks the last commits takes over at the same address. */
import { createVerifier, type Verifier } from '@curfew/verifier';
import { afterEach, describe, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthority, type Authority } from '../../src/authority.ts';
import { realSystem } from '../../src/system/real.ts';
import { migrate } from '../../src/store/migrate.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { type MovingAddress, openMovingAddress } from '../services/moving-address.ts';
import { databaseUrl, type PostgresServer, startPostgres, withClient } from '../services/postgres.ts';
import { PRIMARY_SETTINGS, startStandby, type StandbyServer } from '../services/standby.ts';
import { followLog } from '../http/following-log.ts';
import { type Caller, callerOf, ISSUER, recordingLog, SERVICE_KEY, silent } from '../support.ts';
import { quickPasswords, until } from './node.ts';

const LEASE_MS = 1000;

interface Node {
  close: () => Promise<void>;
  authority: Authority;
  call: Caller;
  url: string;
  lines: string[];
}

interface Stage {
  primary: PostgresServer;
  standby: StandbyServer;
  address: MovingAddress;
  /**
   * @param at the address of its database, when not the one of all
   * @param port its own, when it comes in place of another node
   */
  node: (at?: MovingAddress, port?: number) => Promise<Node>;
  follow: (node: Node) => Promise<Verifier>;
  /** The primary is stopped, the standby takes over without what it has not received. */
  failOver: () => Promise<void>;
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function openStage(
  leaseMs: number = LEASE_MS,
  settings: Record<string, string> = PRIMARY_SETTINGS,
): Promise<Stage> {
  const primary = await startPostgres({ settings });
  closers.push(() => primary.stop());
  const database = openPostgres({ url: primary.url, pool: 2, statementNames: true, log: silent });
  await migrate(database);
  await database.close();
  const standby = await startStandby(primary);
  closers.push(() => standby.stop());
  const address = await openMovingAddress(primary.port);
  closers.push(() => address.close());
  return {
    primary,
    standby,
    address,
    async node(at = address, port = 0) {
      const { log, lines } = recordingLog();
      const authority = await createAuthority({
        settings: {
          DATABASE_URL: at.instead(primary.url),
          CURFEW_LEASE_MS: String(leaseMs),
          CURFEW_SERVICE_KEYS: SERVICE_KEY,
          ISSUER,
        },
        log,
        system: { ...realSystem(log, quickPasswords()), log },
      });
      const server: Server = createServer(authority.listener);
      server.on('upgrade', authority.upgrade);
      await new Promise<void>((ready) => server.listen(port, '127.0.0.1', ready));
      let closing: Promise<void> | undefined;
      const close = (): Promise<void> => {
        closing ??= (async () => {
          authority.hangUp();
          server.closeAllConnections();
          server.close();
          await authority.close();
        })();
        return closing;
      };
      closers.push(close);
      return {
        close,
        authority,
        call: callerOf(authority.fetch),
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        lines,
      };
    },
    async follow(node) {
      const verifier = createVerifier({
        authority: node.url,
        serviceKey: SERVICE_KEY,
        audience: ISSUER,
        log: () => undefined,
      });
      closers.push(() => verifier.close());
      expect(await verifier.ready(20_000)).toBe(true);
      return verifier;
    },
    async failOver() {
      standby.cutOff();
      address.moveTo(null);
      await primary.kill();
      await standby.promote();
    },
  };
}

interface Session {
  bearer: string;
  userId: number;
  sid: string;
  born: number;
}

const claimsOf = (bearer: string): { born: number; sid: string; epoch?: string } =>
  JSON.parse(Buffer.from(bearer.split('.')[1] ?? '', 'base64url').toString()) as {
    born: number;
    sid: string;
    epoch?: string;
  };

let users = 0;
async function newUser(node: Node): Promise<number> {
  const { status, json } = await node.call<{ user: { id: number } }>('POST', '/v1/admin/users', {
    bearer: SERVICE_KEY,
    body: { email: `u${++users}@example.com`, password: 'a long enough password' },
  });
  expect(status).toBeLessThan(300);
  return json.user.id;
}

async function logIn(node: Node, userId: number): Promise<Session> {
  const { status, json, text } = await node.call<{ access_token: string }>('POST', '/v1/admin/sessions', {
    bearer: SERVICE_KEY,
    body: { user_id: userId },
  });
  if (status >= 300) throw new Error(text);
  const { born, sid } = claimsOf(json.access_token);
  return { bearer: json.access_token, userId, sid, born };
}

/** The answer of the node's check: 200 for alive. */
const check = async (node: Node, { bearer }: Session): Promise<number> =>
  (await node.call('GET', '/v1/check', { bearer })).status;

/** A logout of users by a service; asked again while the database is away. */
async function logOut(node: Node, body: object): Promise<Record<string, unknown>> {
  let answer: Record<string, unknown> = {};
  await until('the logout is answered', async () => {
    const { status, json } = await node.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body });
    answer = json as Record<string, unknown>;
    return status === 200;
  });
  return answer;
}

const isFresh = (verifier: Verifier): Promise<void> =>
  until('the verifier is fresh', async () => verifier.freshness.state === 'fresh');

/** Positions are given out far above those that the standby knows, and above the time in microseconds. */
const FAR = 3_000_000_000_000_000;
const jump = (url: string): Promise<unknown> =>
  withClient(url, (client) => client.query(`select setval('positions', ${FAR})`));

describe.runIf(hasPostgres())('a standby that lacks the last commits takes over', () => {
  test.each([{ burnt: false }, { burnt: true }])(
    'a logout after it is confirmed, and true at every node and verifier, transactions burnt: $burnt',
    async ({ burnt }) => {
      const stage = await openStage();
      const [a, b] = [await stage.node(), await stage.node()];
      const verifier = await stage.follow(b);
      const session = await logIn(a, await newUser(a));
      const other = await newUser(a);
      await stage.standby.caughtUp();
      stage.standby.cutOff();
      // What node b reads of this it takes for its place in the log.
      for (let i = 0; i < 5; i++) await logIn(a, other);
      await logOut(a, { scope: 'user', user_id: other });
      expect(await check(b, session)).toBe(200);
      await isFresh(verifier);
      expect(await verifier.verify(session.bearer)).toMatchObject({ ok: true, by: 'memory' });

      await stage.failOver();
      if (burnt)
        await withClient(stage.standby.url, async (client) => {
          for (let i = 0; i < 100; i++) await client.query('select pg_current_xact_id()');
        });
      stage.address.moveTo(stage.standby.port);
      expect(await logOut(a, { scope: 'user', user_id: session.userId })).toMatchObject({
        ended: 1,
        confirmed: true,
      });
      const endMs = performance.now() + 2 * LEASE_MS;
      while (performance.now() < endMs) {
        expect((await verifier.verify(session.bearer)).ok).toBe(false);
        expect(await check(b, session)).not.toBe(200);
        await new Promise((turn) => setImmediate(turn));
      }
      await isFresh(verifier);
      expect(await verifier.verify(session.bearer)).toMatchObject({ ok: false });
      expect(b.lines.join('')).toContain('the database has gone back');
    },
    60_000,
  );

  test('a stream of the log goes on with what is written after', async () => {
    const stage = await openStage();
    const a = await stage.node();
    const session = await logIn(a, await newUser(a));
    await stage.standby.caughtUp();
    stage.standby.cutOff();
    await jump(stage.primary.url);
    const stream = await followLog(a.authority);
    closers.push(() => stream.close());
    await logOut(a, { scope: 'user', user_id: await newUser(a) });
    await until('the lost history is streamed', async () => stream.events.length > 0);
    await stage.failOver();
    stage.address.moveTo(stage.standby.port);
    await logOut(a, { scope: 'user', user_id: session.userId });
    await until('what was written after is streamed', async () =>
      stream.events.some(({ type, user_id }) => type === 'sessions_ended' && user_id === session.userId),
    );
    expect(stream.done).toBe(false);
  }, 60_000);

  test('what the lost history ended or began counts for nothing', async () => {
    const stage = await openStage();
    const [a, b] = [await stage.node(), await stage.node()];
    const verifier = await stage.follow(b);
    const [userId, otherId] = [await newUser(a), await newUser(a)];
    const kept = await logIn(a, userId);
    await stage.standby.caughtUp();
    stage.standby.cutOff();
    await jump(stage.primary.url);
    const lost = await logIn(a, otherId);
    expect(lost.born).toBeGreaterThan(FAR);
    await logOut(a, { scope: 'user', user_id: userId });
    await isFresh(verifier);
    expect(await verifier.verify(lost.bearer)).toMatchObject({ ok: true });
    expect(await verifier.verify(kept.bearer)).toMatchObject({ ok: false });
    expect(await check(b, lost)).toBe(200);

    await stage.failOver();
    stage.address.moveTo(stage.standby.port);
    // The cut of the lost history lies above the birth of a session of now, which it does not end.
    let fresh: Session | undefined;
    await until('a login', async () => (fresh = await logIn(a, userId).catch(() => undefined)) !== undefined);
    const session = fresh as Session;
    expect(session.born).toBeLessThan(FAR);
    for (const node of [a, b]) {
      await until('the node answers', async () => (await check(node, session)) === 200);
      // Until it has noticed it may answer from memory, for a lease at most.
      await until('the node has noticed', async () => (await check(node, lost)) === 401);
    }
    // The verifier, too, goes on with the lost cut for a lease at most.
    await until('the verifier has noticed', async () => (await verifier.verify(session.bearer)).ok);
    await isFresh(verifier);
    // Its logout was lost, too.
    expect(await verifier.verify(kept.bearer)).toMatchObject({ ok: true, by: 'authority' });
    // A session that began in the lost history has no row, however its birth compares with a cut of now.
    expect(await verifier.verify(lost.bearer)).toEqual({ ok: false, reason: 'unknown' });
    expect(await logOut(a, { scope: 'application', client_id: 'default' })).toMatchObject({
      confirmed: true,
    });
    for (const one of [lost, kept, session]) {
      expect((await verifier.verify(one.bearer)).ok).toBe(false);
      for (const node of [a, b]) expect(await check(node, one)).toBe(401);
    }
  }, 60_000);

  test('a node that is registered in the lost history alone is waited for', async () => {
    const leaseMs = 6000;
    const stage = await openStage(leaseMs);
    const a = await stage.node();
    const session = await logIn(a, await newUser(a));
    await stage.standby.caughtUp();
    stage.standby.cutOff();
    const own = await openMovingAddress(stage.primary.port);
    closers.push(() => own.close());
    const c = await stage.node(own);
    const verifier = await stage.follow(c);
    expect(await check(c, session)).toBe(200);
    expect(await verifier.verify(session.bearer)).toMatchObject({ ok: true, by: 'memory' });

    // It does not reach the database that took over, and goes on in its memory until its lease is over.
    own.moveTo(null);
    await stage.failOver();
    stage.address.moveTo(stage.standby.port);
    let confirmed = false;
    const answered = logOut(a, { scope: 'user', user_id: session.userId }).then((answer) => {
      confirmed = true;
      return answer;
    });
    let accepted = 0;
    while (!confirmed) {
      const verified = verifier.verifyNow(session.bearer, { onStale: 'refuse' });
      if (!confirmed && verified?.ok === true) accepted++;
      await new Promise((turn) => setTimeout(turn, 5));
    }
    expect(await answered).toMatchObject({ ended: 1, confirmed: true });
    expect(accepted).toBeGreaterThan(0);
    expect(verifier.verifyNow(session.bearer, { onStale: 'refuse' })).toMatchObject({ ok: false });
    expect(await check(c, session)).not.toBe(200);
    own.moveTo(stage.standby.port);
  }, 60_000);
});

describe.runIf(hasPostgres())('logouts that wait for others while the database goes back', () => {
  test('are confirmed if the standby has them, and fail if it has not', async () => {
    const stage = await openStage(6000);
    const a = await stage.node();
    const own = await openMovingAddress(stage.primary.port);
    closers.push(() => own.close());
    await stage.node(own);
    // It says nothing any more, so each logout takes the lease.
    own.moveTo(null);
    const [kept, lost] = [await logIn(a, await newUser(a)), await logIn(a, await newUser(a))];
    const logOutOnce = async ({ bearer, sid }: Session) => {
      const answer = a.call('POST', '/v1/logout', { bearer, body: {} });
      await until('the logout is committed', () =>
        withClient(stage.primary.url, async (client) => {
          const { rows } = await client.query('select 1 from open_sessions where id = $1', [sid]);
          return rows.length === 0;
        }),
      );
      return { answer };
    };
    const first = await logOutOnce(kept);
    await stage.standby.caughtUp();
    stage.standby.cutOff();
    const second = await logOutOnce(lost);
    await stage.failOver();
    stage.address.moveTo(stage.standby.port);

    const [held, gone] = [await first.answer, await second.answer];
    expect([held.status, held.json]).toMatchObject([200, { ended: 1, confirmed: true }]);
    expect([gone.status, gone.headers.get('retry-after')]).toEqual([503, expect.anything()]);
    expect(await check(a, kept)).toBe(401);
    await until('the one that was lost may log out again', async () => (await check(a, lost)) === 200);
    expect(await logOut(a, { scope: 'user', user_id: lost.userId })).toMatchObject({ confirmed: true });
    expect(await check(a, lost)).toBe(401);
    expect(a.lines.join('')).toContain('the database has gone back');
  }, 60_000);
});

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
        // Nothing more comes: what is committed from now on will be lost.
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
    '%s: a logout after it is confirmed and true everywhere',
    async (_what, makeCopy) => {
      const stage = await openStage(LEASE_MS, { ...PRIMARY_SETTINGS, wal_level: 'logical' });
      const [a, b] = [await stage.node(), await stage.node()];
      const verifier = await stage.follow(b);
      const session = await logIn(a, await newUser(a));
      const other = await newUser(a);
      const move = await makeCopy(stage);
      await until('the nodes answer', async () => (await check(b, session)) === 200);
      const lost = await logIn(a, other);
      await logOut(a, { scope: 'user', user_id: other });
      const again = await logIn(a, other);
      await isFresh(verifier);
      expect(await verifier.verify(session.bearer)).toMatchObject({ ok: true, by: 'memory' });

      stage.address.moveTo(null);
      stage.address.moveTo(await move());
      expect(await logOut(a, { scope: 'user', user_id: session.userId })).toMatchObject({
        ended: 1,
        confirmed: true,
      });
      const endMs = performance.now() + 2 * LEASE_MS;
      while (performance.now() < endMs) {
        expect((await verifier.verify(session.bearer)).ok).toBe(false);
        expect(await check(b, session)).not.toBe(200);
        await new Promise((turn) => setImmediate(turn));
      }
      await isFresh(verifier);
      for (const gone of [session, lost, again]) {
        expect((await verifier.verify(gone.bearer)).ok).toBe(false);
        for (const node of [a, b]) expect(await check(node, gone)).toBe(401);
      }
      const fresh = await logIn(a, session.userId);
      expect(await check(b, fresh)).toBe(200);
      expect(await verifier.verify(fresh.bearer)).toMatchObject({ ok: true });
      for (const node of [a, b]) expect(node.lines.join('')).toContain('the database has gone back');
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
    await until('the node answers', async () => (await before.call('GET', '/readyz')).status === 200);
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

  /** Nobody can tell that they were lost. Their credentials run out by themselves. */
  async function liveOn(verifier: Verifier, lost: Session[]): Promise<void> {
    await isFresh(verifier);
    for (const { bearer } of lost)
      expect(await verifier.verify(bearer)).toMatchObject({ ok: true, by: 'memory' });
  }

  async function areRefused(verifier: Verifier, lost: Session[]): Promise<void> {
    for (const { bearer } of lost)
      await until('the verifier has noticed', async () => !(await verifier.verify(bearer)).ok);
    await isFresh(verifier);
    for (const { bearer } of lost)
      expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'unknown' });
  }

  test('its rows, into the same database: the first node begins a new epoch', async () => {
    const { node, verifier, lost } = await openLostTime(copyRows);
    // Before anybody has shown a credential.
    await until('the node has begun anew', async () => node.lines.join('').includes('gone back'));
    await areRefused(verifier, lost);
  }, 60_000);

  test('its files: a logout by scope covers sessions of the lost time', async () => {
    const { node, verifier, lost } = await openLostTime(copyFiles);
    await liveOn(verifier, lost);
    const [one, other] = lost as [Session, Session];
    expect(await logOut(node, { scope: 'user', user_id: one.userId })).toMatchObject({ confirmed: true });
    expect(await verifier.verify(one.bearer)).toMatchObject({ ok: false, reason: 'ended' });
    // The next one is as far above, and what began between the two lives.
    const fresh = await logIn(node, one.userId);
    expect(await logOut(node, { scope: 'user', user_id: other.userId })).toMatchObject({ confirmed: true });
    expect(await verifier.verify(other.bearer)).toMatchObject({ ok: false, reason: 'ended' });
    expect(await verifier.verify(fresh.bearer)).toMatchObject({ ok: true });
  }, 60_000);

  test.each(['logout', 'check'])(
    'a %s by the token of a lost session begins a new epoch',
    async (what) => {
      const { node, verifier, lost } = await openLostTime(copyFiles);
      await liveOn(verifier, lost);
      const [one] = lost as [Session];
      const { status } =
        what === 'check'
          ? await node.call('GET', '/v1/check', { bearer: one.bearer })
          : await node.call('POST', '/v1/logout', { bearer: one.bearer, body: {} });
      expect(status).toBe(401);
      await until('the node has begun anew', async () => node.lines.join('').includes('gone back'));
      for (const session of lost)
        await until('the verifier has noticed', async () => !(await verifier.verify(session.bearer)).ok);
      await isFresh(verifier);
      for (const { bearer } of lost)
        expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'unknown' });
    },
    60_000,
  );
});

describe.runIf(hasPostgres())('a session that a node knows by heart, and whose row was lost', () => {
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
    await until('the node answers', async () => (await check(node, session)) === 401);
    await until('the verifier has noticed', async () => !(await verifier.verify(session.bearer)).ok);
    await isFresh(verifier);
    expect(await verifier.verify(session.bearer)).toEqual({ ok: false, reason: 'unknown' });
  }, 60_000);
});

describe.runIf(hasPostgres())('a primary that starts again and has lost nothing', () => {
  test('is the same as before: nobody begins anew', async () => {
    const stage = await openStage();
    const a = await stage.node();
    const verifier = await stage.follow(a);
    const session = await logIn(a, await newUser(a));
    await stage.primary.kill();
    await stage.primary.restart();
    await until('the node answers', async () => (await check(a, session)) === 200);
    await isFresh(verifier);
    expect(await verifier.verify(session.bearer)).toMatchObject({ ok: true, by: 'memory' });
    expect(await logOut(a, { scope: 'user', user_id: session.userId })).toMatchObject({
      ended: 1,
      confirmed: true,
      waitedOut: 0,
    });
    expect((await verifier.verify(session.bearer)).ok).toBe(false);
    expect(a.lines.join('')).not.toContain('the database has gone back');
  }, 60_000);
});
