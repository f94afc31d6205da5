/** A pooler that gives each transaction another session. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPostgres } from '../../src/store/postgres.ts';
import { insertUser } from '../../src/store/users.ts';
import { type Node, openNode } from '../races/node.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { findPgbouncer, type PgbouncerServer, startPgbouncer } from '../services/pgbouncer.ts';
import { requireService } from '../services/require.ts';
import { migrated, silent } from '../support.ts';

const there =
  requireService('PgBouncer', findPgbouncer(), 'install pgbouncer; the tests of poolers need it.') !==
  undefined;

describe.runIf(hasPostgres() && there)('behind PgBouncer in transaction mode', () => {
  let direct: string;
  let pgbouncer: PgbouncerServer;
  let url: string;
  beforeAll(async () => {
    direct = await freshDatabase(migrated);
    // Fewer sessions than connections, so that they are handed round.
    pgbouncer = await startPgbouncer(direct, { default_pool_size: '4' });
    url = pgbouncer.through(direct);
  });
  afterAll(() => pgbouncer.stop());

  let users = 0;
  async function newUser(on: Node): Promise<string> {
    const email = `user${++users}@example.com`;
    const facts = { email, name: '', workspace: '', role: 'user', passwordHash: 'quick:secret' } as const;
    await insertUser(on.world.database, facts, on.world.system.now());
    return email;
  }
  const logIn = async (on: Node, email: string): Promise<string> =>
    String((await on.call('POST', '/v1/login', { body: { email, password: 'secret' } })).json.access_token);
  const pooled = (more: Record<string, string> = {}): Promise<Node> =>
    openNode({ DATABASE_URL: url, CURFEW_STATEMENT_NAMES: '0', ...more });

  test('a schema is created, and users are changed in transactions of several statements', async () => {
    const empty = await freshDatabase();
    const node = await pooled({ DATABASE_URL: pgbouncer.through(empty) });
    const made = await node.call('POST', '/v1/admin/users', {
      bearer: node.world.config.serviceKeys[0] ?? '',
      body: { email: 'made@example.com', password: 'a long password', name: 'Łukasz' },
    });
    expect(made.status).toBe(201);
    const found = await node.call('GET', '/v1/admin/users?search=ukasz', {
      bearer: node.world.config.serviceKeys[0] ?? '',
    });
    expect(found.json.users).toMatchObject([{ name: 'Łukasz' }]);
    await node.close();
  });

  test('concurrent users log in, are checked, and are logged out everywhere', async () => {
    const more = { CURFEW_DATABASE_DIRECT_URL: direct, CURFEW_LEASE_MS: '20000' };
    const nodes = [await pooled(more), await pooled(more)] as const;
    const [one, other] = nodes;
    const lives = Array.from({ length: 12 }, async () => {
      const bearer = await logIn(one, await newUser(one));
      const before = (await other.call('GET', '/v1/check', { bearer })).status;
      const logout = await one.call('POST', '/v1/logout', { bearer, body: { scope: 'this' } });
      const after = await Promise.all(nodes.map((node) => node.call('GET', '/v1/check', { bearer })));
      // The other node acknowledged: it heard the ring at the direct address, long before the lease.
      const { confirmed, waited_out: waitedOut } = logout.json;
      return [before, confirmed, waitedOut, ...after.map(({ status }) => status)];
    });
    for (const life of await Promise.all(lives)) expect(life).toEqual([200, true, 0, 401, 401]);
    for (const node of nodes) await node.close();
  });

  test('a failed statement leaves nothing behind, and its connection usable', async () => {
    const database = openPostgres({ url, pool: 1, statementNames: false, log: silent });
    const ask = (text: string, ...values: unknown[]) => database.query({ text, values, name: 'one' });
    for (let round = 0; round < 3; round++) {
      await expect(
        ask('insert into readers (name, cursor) select $1, (1 / 0)::text::xid8', 'x'),
      ).rejects.toThrow('zero');
      expect((await ask('select count(*)::int as n from readers where name = $1', 'x')).rows).toEqual([
        { n: 0 },
      ]);
    }
    await expect(
      database.transaction(async (on) => {
        await on.query({
          text: `insert into readers (name, cursor) values ('x', '1')`,
          values: [],
          name: 'two',
        });
        throw new Error('half-way');
      }),
    ).rejects.toThrow('half-way');
    expect((await ask('select count(*)::int as n from readers where name = $1', 'x')).rows).toEqual([
      { n: 0 },
    ]);
    await database.close();
  });

  test('without a direct address a node warns, and logouts are confirmed all the same', async () => {
    const nodes = [
      await pooled({ CURFEW_LEASE_MS: '200' }),
      await pooled({ CURFEW_LEASE_MS: '200' }),
    ] as const;
    const bearer = await logIn(nodes[0], await newUser(nodes[0]));
    expect((await nodes[1].call('GET', '/v1/check', { bearer })).status).toBe(200);
    const logout = await nodes[0].call('POST', '/v1/logout', { bearer, body: { scope: 'this' } });
    expect(logout.json).toMatchObject({ confirmed: true });
    for (const node of nodes) expect((await node.call('GET', '/v1/check', { bearer })).status).toBe(401);
    expect(nodes[0].lines.join('')).toContain('CURFEW_DATABASE_DIRECT_URL');
    for (const node of nodes) await node.close();
  });

  test('with statement names the start says what to set', async () => {
    const sentence = /pooler.*Set CURFEW_STATEMENT_NAMES=0, and CURFEW_DATABASE_DIRECT_URL/;
    await expect(openNode({ DATABASE_URL: url })).rejects.toThrow(sentence);
    // A pooler that accepts the settings and drops them is no better.
    const ignoring = await startPgbouncer(direct, { ignore_startup_parameters: 'options' });
    try {
      await expect(openNode({ DATABASE_URL: ignoring.through(direct) })).rejects.toThrow(sentence);
    } finally {
      await ignoring.stop();
    }
  });
});

describe.runIf(hasPostgres())('a connection that ends', () => {
  test.each([true, false])(
    'in the middle of a transaction fails only that (statement names: %s)',
    async (names) => {
      const url = await freshDatabase(migrated);
      const database = openPostgres({ url, pool: 5, statementNames: names, log: silent });
      const failed = database.transaction(async (on) => {
        const { rows } = await on.query({ text: 'select pg_backend_pid() as pid', values: [] });
        await database.query({ text: 'select pg_terminate_backend($1, 5000)', values: [rows[0]?.['pid']] });
        return on.query({ text: 'select 1', values: [] });
      });
      await expect(failed).rejects.toThrow(/terminat|not queryable/i);
      expect((await database.query({ text: 'select 1 as n', values: [] })).rows).toEqual([{ n: 1 }]);
      await database.close();
    },
  );
});
