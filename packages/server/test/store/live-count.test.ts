/** The fast count of live sessions equals the view's, also while cuts are being marked. */
import { expect, test } from 'vitest';
import { markerPass } from '../../src/cluster/follow/marker.ts';
import { countLiveByClient, countLiveSessions } from '../../src/store/live-count.ts';
import { migrate } from '../../src/store/migrate.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { type CutTarget, cut } from '../../src/store/revoke-scope.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { migrated, silent } from '../support.ts';

const now = new Date();
const act = { at: now, actor: 'user:1', contract: 'v1', ipAddress: null, userAgent: '', requestId: null };
const EACH = 250;
const INSERT = `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at, login, tenant)
       select gen_random_uuid(), 1 + i % 4, case when i % 3 = 0 then 'shop' else 'desk' end, 'd:' || i % 5, 'v1',
         nextval('positions'), now(), now(), 600, now() + make_interval(hours => i % 9 - 1), now() + interval '1 day',
         (select id from user_sessions where user_id = 1 + i % 4 order by born limit 1), case when i % 7 = 0 then 'acme' else 'default' end
       from generate_series(1, $1::int * 4) i`;
const COUNT = `select count(*) as count from open_sessions s join users u on u.id = s.user_id
         where s.idle_expires_at > $1 and s.expires_at > $1 and u.disabled_at is null and u.deleted_at is null
           and ($2::text is null or s.tenant = $2)`;

test.runIf(hasPostgres())('the count is right before and after the rows of a cut are marked', async () => {
  const database = openPostgres({
    url: await freshDatabase(migrated),
    pool: 2,
    statementNames: true,
    log: silent,
  });
  await migrate(database);
  const query = async (text: string, values: unknown[] = []) => (await database.query({ text, values })).rows;
  const mark = markerPass(database);
  await mark();
  await query(
    `insert into users (email, created_at) select 'u' || i || '@example.com', now() from generate_series(1, 4) i`,
  );
  const start = (): Promise<unknown> => query(INSERT, [EACH]);
  const byView = async (tenant: string | null = null): Promise<number> =>
    (await query(COUNT, [now, tenant]))[0].count;

  const seen: number[] = [];
  const agrees = async (): Promise<void> => {
    const count = await countLiveSessions(database, now);
    expect(count).toBe(await byView());
    for (const tenant of ['acme', 'default'])
      expect(await countLiveSessions(database, now, { tenant })).toBe(await byView(tenant));
    const byClient = await countLiveByClient(database, now);
    const sum = [...byClient.values()].reduce((all, one) => all + one, 0);
    // The count includes expired sessions, but no session that a logout has ended.
    const [{ ranOut }] = await query(
      `select count(*) as "ranOut" from open_sessions where idle_expires_at <= $1`,
      [now],
    );
    expect([count, count + ranOut]).toContain(sum);
    if (count > 0) expect(byClient.get('desk')).toBeGreaterThan(0);
    seen.push(count);
  };
  await start();
  await agrees();
  const [one] = await query('select id from user_sessions where user_id = 2 order by born limit 1');
  const targets: CutTarget[] = [
    { scope: 'device', userId: 1, deviceId: 'd:2' },
    { scope: 'others', userId: 2, exceptSession: one.id },
    { scope: 'grant', userId: 3, clientId: 'shop' },
    { scope: 'login', login: one.id },
    { scope: 'tenant', tenant: 'acme' },
    { scope: 'client', clientId: 'shop' },
    { scope: 'users', userIds: [3, 4] },
    { scope: 'user', userId: 1 },
    { scope: 'everyone' },
  ];
  for (const [i, target] of targets.entries()) {
    await cut(database, target, act, 'admin_logout');
    await agrees();
    // Several at a time are unmarked, too.
    if (i % 2 === 1) {
      await mark();
      await agrees();
      await start();
      await agrees();
    }
  }
  expect(new Set(seen).size).toBeGreaterThan(6);
  expect(seen.some((count) => count === 0)).toBe(true);
  await database.close();
});

test.runIf(hasPostgres())(
  'a marker that is far behind does not cause a scan of the log, and the count is the same',
  async () => {
    const rows: Record<string, number> = {};
    const inner = openPostgres({
      url: await freshDatabase(migrated),
      pool: 2,
      statementNames: true,
      log: silent,
    });
    const database = {
      ...inner,
      async query(config: Parameters<typeof inner.query>[0]) {
        const { text, values, name } = config;
        if (name !== 'first_cut_being_marked') return inner.query(config);
        const explained = await inner.query({ text: `explain (analyze, format json) ${text}`, values });
        interface PlanNode {
          'Actual Rows': number;
          'Actual Loops': number;
          'Rows Removed by Filter'?: number;
          Plans?: PlanNode[];
        }
        // The rows of the plan's widest node.
        const walk = (node: PlanNode): number =>
          Math.max(
            (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'],
            ...(node.Plans ?? []).map(walk),
          );
        rows[name] = walk(explained.rows[0]['QUERY PLAN'][0].Plan);
        return inner.query(config);
      },
    };
    try {
      const query = async (text: string) => (await inner.query({ text, values: [] })).rows;
      await markerPass(database)();
      await query(
        `insert into users (email, created_at) values ('a@example.com', now()), ('b@example.com', now())`,
      );
      await query(
        `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at)
       select gen_random_uuid(), 1 + i % 2, 'desk', 'd', 'v1', nextval('positions'), now(), now(), 600,
         now() + interval '1 hour', now() + interval '1 day' from generate_series(1, 100) i`,
      );
      await query(
        `insert into events (at, type, user_id, actor) select now(), 'session_started', 1, 'user:1' from generate_series(1, 30000)`,
      );
      await query('analyze');
      await query(
        `with e as (insert into events (at, type, scope, reason, user_id, actor)
         values (now(), 'sessions_ended', 'user', 'logout', 1, 'user:1') returning position)
       insert into cuts (key, position, base) select 'user:1', position, position from e`,
      );
      expect(await countLiveSessions(database, now)).toBe(50);
      expect(await countLiveByClient(database, now)).toEqual(new Map([['desk', 50]]));
      expect(rows['first_cut_being_marked']).toBeLessThanOrEqual(10_000);
      await markerPass(database)();
      expect(await countLiveSessions(database, now)).toBe(50);
      expect(rows['first_cut_being_marked']).toBeLessThan(10_000);
    } finally {
      await inner.close();
    }
  },
);
