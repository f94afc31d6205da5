/** A cut of an application ends what was begun through its logins with other applications: counted, previewed, and marked. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StartedSession } from '../../src/actions/start-session.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { hold } from '../services/held-database.ts';
import { type Answer, SERVICE_KEY } from '../support.ts';
import { bearerOf, begun, createClients, statusesAt } from './begun-through.ts';
import { openPlace, type Place, until } from './node.ts';

const PAGES = 'pages';
const SHOP = 'shop';

interface Family {
  userId: number;
  login: StartedSession;
  child: StartedSession;
}

describe.runIf(hasPostgres())('a session begun through a login of an application', () => {
  let on: Place;
  beforeAll(async () => {
    on = await openPlace('postgres');
    await createClients(on, PAGES, SHOP);
  });
  afterAll(() => on.close());

  const admin = (method: string, path: string, body?: object): Promise<Answer> =>
    on.at(0).call(method, path, { bearer: SERVICE_KEY, ...(body && { body }) });
  const start = (userId: number, clientId: string, through?: StartedSession): Promise<StartedSession> =>
    begun(on.at(1), userId, { clientId, through, ownClientOnly: true });
  const family = async (): Promise<Family> => {
    const { id } = await on.user();
    const login = await start(id, PAGES);
    return { userId: id, login, child: await start(id, SHOP, login) };
  };
  const logOut = (one: StartedSession, body: object): Promise<Answer> =>
    on.at(0).call('POST', '/v1/logout', { bearer: bearerOf(one), body });
  const isMarked = async ({ session }: StartedSession): Promise<void> =>
    until('its row is marked', async () => {
      const [row] = await on.rows<{ marked: boolean }>(
        'select not is_active and ended_at is not null and ended_reason is not null as marked from user_sessions where id = $1',
        session.sid,
      );
      return row?.marked === true;
    });
  const cutOf = ({ userId }: Family, scope: string): object =>
    scope === 'client' ? { scope, client_id: PAGES } : { scope, user_id: userId, client_id: PAGES };
  const cut = (of: Family, scope: string): Promise<Answer> =>
    admin('POST', '/v1/admin/logout', cutOf(of, scope));

  const SCOPES = ['client', 'grant'];

  test.each(SCOPES)(
    'is over, and marked later, where a lock keeps it from being marked (%s)',
    async (scope) => {
      const of = await family();
      const held = hold(on.at(1).world.database, 'lock_child', 'uncommitted');
      const locking = on.at(1).world.database.query({
        name: 'lock_child',
        text: 'select id from user_sessions where id = $1 for update',
        values: [of.child.session.sid],
      });
      await held.reached;
      expect((await cut(of, scope)).json).toMatchObject({ more: true });
      expect(await statusesAt(on, of.child)).toEqual([401, 401]);
      held.release();
      await locking;
      await isMarked(of.child);
    },
  );

  test.each(SCOPES)('ends long after the login has expired, and its row says so (%s)', async (scope) => {
    const of = await family();
    await on.rows(
      `update user_sessions set is_active = false, ended_reason = 'idle_timeout', ended_at = now() where id = $1`,
      of.login.session.sid,
    );
    expect(await statusesAt(on, of.child)).toEqual([200, 200]);
    expect((await cut(of, scope)).json).toMatchObject({ ended: 1, more: false });
    expect(await statusesAt(on, of.child)).toEqual([401, 401]);
    await isMarked(of.child);
  });

  test.each(SCOPES)('is counted before and after the cut, and in no list then (%s)', async (scope) => {
    const of = await family();
    const counted = await admin('POST', '/v1/admin/logout', { ...cutOf(of, scope), dry_run: true });
    expect(counted.json).toMatchObject({ count: 2 });
    expect((await cut(of, scope)).json).toMatchObject({ ended: 2, more: false });
    const { json } = await admin('GET', `/v1/admin/sessions?user_id=${of.userId}`);
    expect(json['sessions']).toEqual([]);
  });

  test('is named by the log through its login, whose end it also says', async () => {
    const of = await family();
    await logOut(of.login, {});
    expect(await statusesAt(on, of.child)).toEqual([401, 401]);
    const { json } = await admin('GET', `/v1/admin/events?user_id=${of.userId}&after=0`);
    const login = of.login.session.sid;
    const events = json['events'] as { type: string; session_ids: string[] | null }[];
    expect(events.filter(({ session_ids }) => session_ids !== null)).toMatchObject([
      { type: 'session_started', session_ids: [login], login: null, logins: null },
      { type: 'session_started', session_ids: [of.child.session.sid], login, logins: null },
      { type: 'sessions_ended', session_ids: [login], login: null, logins: [login] },
    ]);
  });

  test('is counted where the user ends the sessions of an application that reaches its own alone', async () => {
    const of = await family();
    const asked = { scope: 'all' };
    const preview = (await logOut(of.login, { ...asked, dry_run: true })).json;
    expect(preview).toMatchObject({ count: 2, sample: [{ client_id: PAGES }] });
    expect((await logOut(of.login, asked)).json).toMatchObject({ ended: 2, more: false });
    expect(await statusesAt(on, of.child)).toEqual([401, 401]);
  });

  test('and a node of an older version runs: the answer says to update it, and nothing ended', async () => {
    const { id } = await on.user();
    const login = await start(id, PAGES);
    const register = async (): Promise<void> => {
      await on.rows('delete from cuts');
      await on.rows(
        `insert into nodes (id, started_at) values ('00000000-0000-7000-8000-000000000001', now())`,
      );
    };
    await register();
    for (const scope of ['all', 'others']) {
      const { status, json } = await logOut(login, { scope });
      expect([status, json]).toMatchObject([503, { code: 'older_node' }]);
    }
    expect(await statusesAt(on, login)).toEqual([200, 200]);
    await on.rows('delete from nodes where wire = 1');
    expect((await logOut(login, { scope: 'all' })).json).toMatchObject({ ended: 1, confirmed: true });
  });
});
