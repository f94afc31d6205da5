/** Sessions that were begun through a login: a cut of the login's application counts, marks and previews them, also long after the login. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { countLiveByClient, countLiveSessions } from '../../src/store/live-count.ts';
import { countUnmarked, markEnded } from '../../src/store/marking.ts';
import { type CutTarget, cut } from '../../src/store/revoke-scope.ts';
import { revokeEachSession } from '../../src/store/revoke-sessions.ts';
import { countSessions, listSessionsOfUser, pageOfSessions } from '../../src/store/session-lists.ts';
import { backends, openStore } from '../support.ts';

const now = new Date();
const act = { at: now, actor: 'user:1', contract: 'v1', ipAddress: null, userAgent: '', requestId: null };
const PAGES = 'pages';
const SHOP = 'shop';

describe.each(backends())('sessions begun through a login, %s', (backend) => {
  let database: Database;
  const query = async (text: string, values: unknown[] = []) => (await database.query({ text, values })).rows;
  beforeEach(async () => {
    if (!database) {
      database = await openStore(backend);
      await query(`insert into users (email, created_at) values ('ada@example.com', now())`);
    }
    await query('truncate user_sessions, cuts, tokens, events');
    await query(`insert into readers (name, cursor) values ('marker', '0') on conflict do nothing`);
  });
  afterAll(() => database?.close());

  const insert = async (clientId: string, count: number, login?: Login): Promise<string[]> => {
    const rows = await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at, idle_seconds,
         idle_expires_at, expires_at, login, login_born, login_client)
       select gen_random_uuid(), 1, $1, 'd', 'v1', nextval('positions'), now(), now(), 600, now() + interval '1 hour',
         now() + interval '1 day', $3, $4, $5 from generate_series(1, $2::int) returning id`,
      [clientId, count, login?.id, login?.born, login && PAGES],
    );
    return rows.map(({ id }) => id);
  };
  interface Login {
    id: string;
    born: number;
  }
  const begin = async (children: number, hasChildren = children > 0): Promise<Login> => {
    const [id = ''] = await insert(PAGES, 1);
    const [login] = await query(
      'update user_sessions set has_children = $2 where id = $1 returning id, born',
      [id, hasChildren],
    );
    await insert(SHOP, children, login);
    return login;
  };
  const expire = ({ id }: Login): Promise<unknown> =>
    query(
      `update user_sessions set is_active = false, ended_reason = 'idle_timeout', ended_at = now() where id = $1`,
      [id],
    );
  const active = async (): Promise<number> =>
    (await query('select id from user_sessions where is_active')).length;

  const ROADS: [string, CutTarget][] = [
    ['the application', { scope: 'client', clientId: PAGES }],
    ['the user’s sessions with the application', { scope: 'grant', userId: 1, clientId: PAGES }],
  ];
  describe.each(ROADS)('a cut of %s', (_name, target) => {
    test.each([
      { login: 'lives', children: 3 },
      { login: 'lives', children: 130 },
      { login: 'has expired', children: 3 },
      { login: 'has expired', children: 130 },
    ])('of which a login with $children children $login', async ({ login: state, children }) => {
      const login = await begin(children);
      const expired = state === 'has expired';
      if (expired) await expire(login);
      const [other] = await insert(SHOP, 1);
      const ends = expired ? children : children + 1;
      const filter = { endedWithClient: PAGES };
      expect(await countLiveSessions(database, now, { clientId: PAGES })).toBe(ends);
      expect(await countSessions(database, now, filter)).toBe(ends);
      expect(await pageOfSessions(database, now, { ...filter, alive: true }, 1000)).toHaveLength(ends);

      const { event, count, ended, more } = await cut(database, target, act, 'admin_logout');
      const few = children < 100;
      expect(more).toBe(!few);
      expect(ended).toHaveLength(few ? ends : 0);
      // Of an application no more than it marks: those are counted beforehand.
      expect(count).toBe(few || target.scope === 'grant' ? ends : 100);
      expect(await active()).toBe(few ? 1 : ends + 1);
      expect(await countUnmarked(database, target)).toBe(few ? 0 : ends);
      expect(await countLiveSessions(database, now, { clientId: PAGES })).toBe(0);
      expect(await countLiveSessions(database, now)).toBe(1);

      await markEnded(database, [event], 50);
      const mine = { before: null, except: null, clientId: null };
      expect((await listSessionsOfUser(database, now, 1, mine, 1000)).map(({ id }) => id)).toEqual([other]);
      expect(await query('select id from user_sessions where is_active')).toEqual([{ id: other }]);
      const rows = await query(
        `select distinct ended_at is null as undated, ended_by, ended_position from user_sessions
         where not is_active and ended_reason = 'admin_logout'`,
      );
      expect(rows).toEqual([{ undated: false, ended_by: 'user:1', ended_position: event.position }]);
      await query(`update readers set cursor = (select max(xid::text::bigint) + 1 from events)::text::xid8`);
      expect(await countLiveByClient(database, now)).toEqual(new Map([[SHOP, 1]]));
    });
  });

  const CUTS: CutTarget[] = [
    { scope: 'user', userId: 1 },
    { scope: 'device', userId: 1, deviceId: 'd' },
    { scope: 'client', clientId: PAGES },
    { scope: 'grant', userId: 1, clientId: PAGES },
    { scope: 'tenant', tenant: 'default' },
    { scope: 'everyone' },
  ];
  test.each(CUTS)(
    'that began above a cut’s position while the login ended: marked, unlike a new login ($scope)',
    async (target) => {
      const login = await begin(0);
      const { event } = await cut(database, target, act, 'logout');
      await insert(SHOP, 60, login);
      const [later] = await insert(PAGES, 1);
      expect(await query('select id from open_sessions')).toEqual([{ id: later }]);
      await markEnded(database, [event], 50);
      expect(await query('select id from user_sessions where is_active')).toEqual([{ id: later }]);
    },
  );

  test('of another application than the one that is cut: its login’s beginning does not count', async () => {
    const login = await begin(0);
    const { event } = await cut(database, { scope: 'client', clientId: SHOP }, act, 'logout');
    await insert(SHOP, 1, login);
    await markEnded(database, [event], 50);
    expect(await active()).toBe(2);
  });

  test.each([
    { children: 0, whose: 'that never had any', had: false },
    { children: 0, whose: 'whose children are over', had: true },
    { children: 3, whose: 'of three children', had: true },
  ])(
    'the end of a login $whose does not walk the thousand sessions of the user',
    async ({ children, had }) => {
      await insert(SHOP, 1000);
      const login = await begin(children, had);
      await begin(1000);
      await query('analyze user_sessions');
      const read = await database.transaction(async (on) => {
        const rows = async (): Promise<number> =>
          (
            await on.query({
              text: `select (seq_tup_read + idx_tup_fetch)::int as read from pg_stat_xact_user_tables where relname = 'user_sessions'`,
              values: [],
            })
          ).rows[0].read;
        const before = await rows();
        const [ending] = await revokeEachSession(
          on,
          [{ sid: login.id, userId: 1, act, reason: 'logout' }],
          'wait',
        );
        expect(ending).toMatchObject({ ended: [login.id], more: had });
        return (await rows()) - before;
      });
      expect(await active()).toBe(2001);
      expect(read).toBeGreaterThan(0);
      expect(read).toBeLessThan(20 + 10 * children);
    },
  );
});
