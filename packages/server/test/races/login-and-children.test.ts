/**
 * A session is begun through a login (single sign-on, delegation) while that login ends. Either statement stops before it is sent,
 * before its commit, and before its answer: the session is refused, or it is over everywhere when the ending is confirmed.
 */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { StartedSession } from '../../src/actions/start-session.ts';
import { purgeSessions } from '../../src/store/session-upkeep.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { hold } from '../services/held-database.ts';
import { type Answer, SERVICE_KEY } from '../support.ts';
import { bearerOf, begin, begun, statusesAt } from './begun-through.ts';
import { answeredOrLocked, openPlace, type Place, RACES } from './node.ts';
import { type InProcessVerifier, verifierOf } from './verifier.ts';

describe.runIf(hasPostgres())('a session begun through a login', () => {
  let on: Place;
  let verifier: InProcessVerifier;
  beforeAll(async () => {
    on = await openPlace('postgres');
    verifier = verifierOf(on.at(0));
  });
  afterAll(() => {
    verifier.stop();
    return on.close();
  });

  const end = (login: string): Promise<Answer> =>
    on.at(0).call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'login', session: login },
    });
  const isOver = async (started: StartedSession): Promise<void> => {
    expect(await statusesAt(on, started)).toEqual([401, 401]);
    expect(verifier.accepts(bearerOf(started))).toBe(false);
  };

  test('has its claim, and ends with it, as its siblings and the login do', async () => {
    const { id } = await on.user();
    const login = await begun(on.at(0), id);
    const children = [
      await begun(on.at(0), id, { through: login }),
      await begun(on.at(1), id, { through: login }),
    ];
    const other = await begun(on.at(0), id);
    const [, payload = ''] = bearerOf(children[1] as StartedSession).split('.');
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
      begun: children[1]?.session.born,
      login: { sid: login.session.sid, born: login.session.born, client_id: 'default' },
      tenant: 'default',
    });
    for (const one of [login, ...children, other]) expect(await statusesAt(on, one)).toEqual([200, 200]);
    const { status, json } = await end(login.session.sid);
    expect([status, json]).toMatchObject([200, { ended: 3, confirmed: true, more: false }]);
    for (const one of [login, ...children]) await isOver(one);
    expect(await statusesAt(on, other)).toEqual([200, 200]);
    const rows = await on.rows(
      'select count(distinct ended_position) as ends from user_sessions where $1 in (id, login)',
      login.session.sid,
    );
    expect(rows).toEqual([{ ends: 1 }]);
  });

  test.each(RACES)('stopped $at, on $where, while the login ends', async ({ at, node }) => {
    const { id } = await on.user();
    const login = await begun(on.at(0), id);
    const held = hold(on.at(node).world.database, 'insert_session', at);
    const beginning = begin(on.at(node), id, { through: login });
    await held.reached;
    const ending = end(login.session.sid);
    await (at === 'uncommitted' ? answeredOrLocked(on, ending) : ending);
    held.release();
    const child = await beginning;
    expect(await ending).toMatchObject({ status: 200, json: { confirmed: true } });
    expect(child === null).toBe(at === 'before');
    await isOver(login);
    if (child) await isOver(child);
  });

  test.each(RACES)('begun on $where while the ending is stopped $at', async ({ at, node }) => {
    const { id } = await on.user();
    const login = await begun(on.at(0), id);
    const held = hold(on.at(0).world.database, 'cut_login', at);
    const ending = end(login.session.sid);
    await held.reached;
    const beginning = begin(on.at(node), id, { through: login });
    await (at === 'uncommitted' ? answeredOrLocked(on, beginning) : beginning);
    held.release();
    const child = await beginning;
    expect(await ending).toMatchObject({ status: 200, json: { confirmed: true } });
    expect(child === null).toBe(at !== 'before');
    await isOver(login);
    if (child) await isOver(child);
  });

  test('begun while the ending waits for the login’s row is refused or over', async () => {
    const { id } = await on.user();
    const login = await begun(on.at(0), id);
    let release = (): void => undefined;
    let locked = (): void => undefined;
    const isLocked = new Promise<void>((resolve) => (locked = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    onTestFinished(() => release());
    const holding = on.at(1).world.database.transaction(async (within) => {
      await within.query({
        text: 'select id from user_sessions where id = $1 for no key update',
        values: [login.session.sid],
      });
      locked();
      await released;
    });
    await isLocked;
    const ending = end(login.session.sid);
    await answeredOrLocked(on, ending);
    const beginning = begin(on.at(1), id, { through: login });
    await answeredOrLocked(on, beginning);
    release();
    await holding;
    expect(await ending).toMatchObject({ status: 200, json: { confirmed: true } });
    const child = await beginning;
    if (child) await isOver(child);
  });

  test('of more sessions than one statement marks ends at once, and no later one begins', async () => {
    const { id } = await on.user();
    const login = await begun(on.at(0), id);
    await on.rows(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at, idle_seconds,
         idle_expires_at, expires_at, login, login_born, login_client)
       select gen_random_uuid(), $1, 'default', 'd', 'v1', nextval('positions'), now(), now(), 600, now() + interval '1 year',
         now() + interval '1 year', $2, $3, 'default' from generate_series(1, 150)`,
      id,
      login.session.sid,
      login.session.born,
    );
    const held = hold(on.at(0).world.database, 'cut_login', 'uncommitted');
    const ending = end(login.session.sid);
    await held.reached;
    const beginning = begin(on.at(1), id, { through: login });
    await answeredOrLocked(on, beginning);
    held.release();
    expect(await beginning).toBeNull();
    expect((await ending).json).toMatchObject({ ended: 151, more: true, confirmed: true });
    expect(await on.rows('select id from open_sessions where user_id = $1', id)).toEqual([]);
  });

  test('cannot be begun through a login that is over, is another user’s, or is no login', async () => {
    const [{ id }, other] = [await on.user(), await on.user()];
    const login = await begun(on.at(0), id);
    const child = await begun(on.at(0), id, { through: login });
    expect(await begin(on.at(0), other.id, { through: login })).toBeNull();
    expect(await begin(on.at(0), id, { through: child })).toBeNull();
    expect(await begin(on.at(0), id, { through: crypto.randomUUID() })).toBeNull();
    for (const body of [
      { scope: 'sessions', sessions: [login.session.sid] },
      { scope: 'user', user_id: id },
    ]) {
      const again = await begun(on.at(0), id);
      await on.at(0).call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body });
      const ended = body.scope === 'user' ? again : login;
      expect(await begin(on.at(1), id, { through: ended })).toBeNull();
    }
  });

  test('is no login to end by itself', async () => {
    const { id } = await on.user();
    const login = await begun(on.at(0), id);
    const child = await begun(on.at(0), id, { through: login });
    expect((await end(child.session.sid)).status).toBe(404);
    expect((await end(crypto.randomUUID())).status).toBe(404);
    for (const one of [login, child]) expect(await statusesAt(on, one)).toEqual([200, 200]);
  });

  test.each(['logout', 'renewed'])('keeps its login from a forgotten older node: %s', async (reason) => {
    const { id } = await on.user();
    const login = await begun(on.at(0), id);
    const child = await begun(on.at(1), id, { through: login });
    // As a node of version 0.1 marks a row: it names no position.
    const mark =
      'update user_sessions set is_active = false, ended_at = now(), ended_reason = $1 where id = $2';
    await expect(on.rows(mark, reason, login.session.sid)).rejects.toMatchObject({ code: 'CF001' });
    for (const one of [login, child]) expect(await statusesAt(on, one)).toEqual([200, 200]);
  });

  test.each([true, false])(
    'reaches its own application alone if its login does: %s',
    async (ownClientOnly) => {
      const { id } = await on.user();
      const login = await begun(on.at(0), id, { ownClientOnly });
      const { session } = await begun(on.at(1), id, { through: login });
      expect(session.ownClientOnly).toBe(ownClientOnly);
      const [row] = await on.rows('select own_client_only from user_sessions where id = $1', session.sid);
      expect(row).toEqual({ own_client_only: ownClientOnly });
    },
  );

  test('ends with its login long after that has expired; then both are purged', async () => {
    const { id } = await on.user();
    const login = await begun(on.at(0), id);
    const child = await begun(on.at(1), id, { through: login });
    const sids = [login.session.sid, child.session.sid];
    const purge = async (): Promise<unknown[]> => {
      await purgeSessions(on.at(0).world.database, new Date(), 100);
      return on.rows('select id from user_sessions where id = any($1) order by born', sids);
    };
    const expire = (sid: string): Promise<unknown> =>
      on.rows(`update user_sessions set expires_at = now() - interval '1 day' where id = $1`, sid);
    await expire(login.session.sid);
    expect(await purge()).toEqual(sids.map((sid) => ({ id: sid })));
    expect((await end(login.session.sid)).status).toBe(200);
    await isOver(child);
    await expire(child.session.sid);
    await purge();
    expect(await purge()).toEqual([]);
  });
});
