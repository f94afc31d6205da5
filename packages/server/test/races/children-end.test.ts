/**
 * A session that was begun through a login ends with it, whichever road ends the login: each kind of cut, and each ending that names
 * sessions. It is begun before the ending, while that is stopped, or while it waits for a lock that holds it past the ending.
 */
import { claimsNotYetVerified, factsOfClaims } from '@curfew/protocol/access-token';
import { watch } from '@curfew/protocol/replica';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { StartedSession } from '../../src/actions/start-session.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { EVERYWHERE, hold } from '../services/held-database.ts';
import { type Answer, SERVICE_KEY } from '../support.ts';
import { bearerOf, begin, begun, createClients, statusesAt } from './begun-through.ts';
import { answeredOrLocked, openPlace, type Place, until } from './node.ts';
import { type InProcessVerifier, verifierOf } from './verifier.ts';

interface Family {
  userId: number;
  login: StartedSession;
}

const PAGES = 'pages';
const SHOP = 'shop';

describe.runIf(hasPostgres())('a session begun through a login', () => {
  let on: Place;
  let verifier: InProcessVerifier;
  beforeAll(async () => {
    on = await openPlace('postgres');
    verifier = verifierOf(on.at(0));
    await createClients(on, PAGES, SHOP);
  });
  afterAll(() => {
    verifier.stop();
    return on.close();
  });

  const admin = (method: string, path: string, body?: object): Promise<Answer> =>
    on.at(0).call(method, path, { bearer: SERVICE_KEY, ...(body && { body }) });
  const family = async (ownClientOnly = false): Promise<Family> => {
    const { id } = await on.user();
    return { userId: id, login: await begun(on.at(0), id, { clientId: PAGES, ownClientOnly }) };
  };
  const child = ({ userId, login }: Family, node = 1): Promise<StartedSession | null> =>
    begin(on.at(node), userId, { clientId: SHOP, through: login });
  const born = async (of: Family): Promise<StartedSession> =>
    begun(on.at(1), of.userId, { clientId: SHOP, through: of.login });

  /** The verifier's; certain also when its lease is over. */
  const verdict = (one: StartedSession): string => {
    const claims = claimsNotYetVerified(bearerOf(one));
    if (!claims) throw new Error('it has no access token');
    return verifier.subscriber.judge(watch(factsOfClaims(claims)));
  };
  const isAlive = async (one: StartedSession): Promise<void> => {
    expect(await statusesAt(on, one)).toEqual([200, 200]);
    expect(verdict(one)).not.toBe('ended');
  };
  const isOver = async (one: StartedSession): Promise<void> => {
    expect(verdict(one)).toBe('ended');
    expect(await statusesAt(on, one)).toEqual([401, 401]);
    const open = await on.rows('select id from open_sessions where id = $1', one.session.sid);
    expect(open).toEqual([]);
  };
  const confirmed = async (path: string, body: object): Promise<Answer> => {
    const { json } = await admin('POST', path, body);
    return admin('POST', path, { ...body, confirm: json['count'] });
  };

  type Road = [name: string, statement: string, end: (of: Family) => Promise<Answer>];
  const CUTS: Road[] = [
    [
      'its user',
      'cut_user',
      ({ userId }) => admin('POST', '/v1/admin/logout', { scope: 'user', user_id: userId }),
    ],
    [
      'its users',
      'cut_users',
      ({ userId }) => admin('POST', '/v1/admin/logout', { scope: 'users', user_ids: [userId] }),
    ],
    [
      'its application',
      'cut_client',
      () => admin('POST', '/v1/admin/logout', { scope: 'client', client_id: PAGES }),
    ],
    [
      'its user’s sessions with the application',
      'cut_grant',
      ({ userId }) =>
        admin('POST', '/v1/admin/logout', { scope: 'grant', user_id: userId, client_id: PAGES }),
    ],
    [
      'the login',
      'cut_login',
      ({ login }) => admin('POST', '/v1/admin/logout', { scope: 'login', session: login.session.sid }),
    ],
    ['its tenant', 'cut_tenant', () => confirmed('/v1/admin/logout', { scope: 'tenant', tenant: 'default' })],
    ['everyone', 'cut_everyone', () => confirmed('/v1/admin/logout', { scope: 'everyone' })],
    [
      'its device',
      'cut_device',
      ({ login }) =>
        on.at(0).call('POST', '/v1/logout', { bearer: bearerOf(login), body: { scope: 'device' } }),
    ],
    [
      'the user’s other sessions',
      'cut_others',
      async ({ userId }) => {
        const other = await begun(on.at(0), userId, { clientId: 'default' });
        return on.at(0).call('POST', '/v1/logout', { bearer: bearerOf(other), body: { scope: 'others' } });
      },
    ],
  ];
  const NAMED: Road[] = [
    [
      'this',
      'end_each_free_session',
      ({ login }) => on.at(0).call('POST', '/v1/logout', { bearer: bearerOf(login) }),
    ],
    [
      'selected',
      'end_sessions_by_id',
      ({ login }) =>
        on.at(0).call('POST', '/v1/logout', {
          bearer: bearerOf(login),
          body: { scope: 'selected', sessions: [login.session.sid] },
        }),
    ],
    [
      'by the administrator',
      'end_sessions_by_id',
      ({ login }) => admin('POST', '/v1/admin/logout', { scope: 'sessions', sessions: [login.session.sid] }),
    ],
    [
      'by its id',
      'end_sessions_by_id',
      ({ login }) =>
        on.at(0).call('DELETE', `/v1/sessions/${login.session.sid}`, { bearer: bearerOf(login) }),
    ],
    [
      'revoked (RFC 7009)',
      'end_each_free_session',
      ({ login }) =>
        on.at(0).call('POST', '/oauth/revoke', {
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({ token: bearerOf(login), client_id: PAGES }).toString(),
        }),
    ],
  ];
  const ALL = [...CUTS, ...NAMED];

  test.each(ALL)('ends with it, and nothing else does: %s', async (_name, _statement, end) => {
    const of = await family();
    const children = [await born(of), await born(of)];
    for (const one of [of.login, ...children]) await isAlive(one);
    expect((await end(of)).status).toBeLessThan(300);
    for (const one of [of.login, ...children]) await isOver(one);
    expect(await child(of)).toBeNull();
  });

  test('ends with a login that may end sessions of its own application alone', async () => {
    const of = await family(true);
    const one = await born(of);
    const body = { scope: 'device' };
    expect((await on.at(0).call('POST', '/v1/logout', { bearer: bearerOf(of.login), body })).status).toBe(
      200,
    );
    await isOver(one);
  });

  const RACES = ALL.flatMap(([name, statement, end]) =>
    EVERYWHERE.map((at) => ({ name, at, statement, end })),
  );

  test.each(RACES)('stopped $at while its login ends: $name', async ({ at, end }) => {
    const of = await family();
    const held = hold(on.at(1).world.database, 'insert_session', at);
    const beginning = child(of);
    await held.reached;
    const ending = end(of);
    await (at === 'uncommitted' ? answeredOrLocked(on, ending) : ending);
    held.release();
    const one = await beginning;
    expect((await ending).status).toBeLessThan(300);
    await isOver(of.login);
    if (at === 'before') expect(one).toBeNull();
    else if (one) await isOver(one);
  });

  test.each(RACES)('begun while the ending is stopped $at: $name', async ({ at, statement, end }) => {
    const of = await family();
    const held = hold(on.at(0).world.database, statement, at);
    const ending = end(of);
    await held.reached;
    const beginning = child(of);
    await answeredOrLocked(on, beginning);
    held.release();
    const one = await beginning;
    expect((await ending).status).toBeLessThan(300);
    await isOver(of.login);
    if (one) await isOver(one);
  });

  test.each(CUTS)(
    'is over when a lock held it past a cut that its snapshot does not show: %s',
    async (_, statement, end) => {
      const of = await family();
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      onTestFinished(() => release());
      const locked = new Promise<Promise<unknown>>((resolve) => {
        const holding: Promise<unknown> = on.at(1).world.database.transaction(async (within) => {
          await within.query({
            text: 'select id from user_sessions where id = $1 for no key update',
            values: [of.login.session.sid],
          });
          resolve(Promise.resolve());
          await released;
        });
        void holding;
      });
      await locked;
      const beginning = child(of);
      await answeredOrLocked(on, beginning);
      // A cut skips the row, and commits. That of the login waits for it.
      const ending = end(of);
      if (statement !== 'cut_login') await ending;
      release();
      const one = await beginning;
      expect((await ending).status).toBeLessThan(300);
      await isOver(of.login);
      if (one) await isOver(one);
      else expect(statement).toBe('cut_login');
    },
  );

  describe('of a login that is renewed', () => {
    const confirm = async ({ userId, login }: Family): Promise<Family> => {
      const { status, json } = await on
        .at(0)
        .call('POST', '/v1/session/confirm', { bearer: bearerOf(login), body: { password: 'secret' } });
      expect(status).toBe(200);
      const [session] = await on.rows<{ id: string }>(
        `select id from user_sessions where user_id = $1 and is_active and client_id = $2 order by born desc limit 1`,
        userId,
        PAGES,
      );
      const renewed = { session: { sid: session?.id }, tokens: { access: { text: json['access_token'] } } };
      return { userId, login: renewed as StartedSession };
    };

    test('goes on, and its login can begin more', async () => {
      const of = await family();
      const one = await born(of);
      const renewed = await confirm(await confirm(of));
      await isOver(of.login);
      expect(await child(of)).toBeNull();
      for (const alive of [one, renewed.login, await born(renewed)]) await isAlive(alive);
    });

    test.each([...CUTS, ...NAMED])('ends with it: %s', async (_name, _statement, end) => {
      const of = await family();
      const before = await born(of);
      const renewed = await confirm(of);
      const after = await born(renewed);
      expect((await end(renewed)).status).toBeLessThan(300);
      for (const one of [before, renewed.login, after]) await isOver(one);
    });

    test('ends with it by the id that the login began with', async () => {
      const of = await family();
      const one = await born(of);
      const renewed = await confirm(of);
      const body = { scope: 'login', session: of.login.session.sid };
      expect((await admin('POST', '/v1/admin/logout', body)).json).toMatchObject({ ended: 2 });
      for (const over of [one, renewed.login]) await isOver(over);
    });

    test.each(EVERYWHERE)('begun while the renewal is stopped %s: goes on, or is refused', async (at) => {
      const of = await family();
      const held = hold(on.at(0).world.database, 'end_sessions_by_id', at);
      const renewing = confirm(of);
      await held.reached;
      const beginning = child(of);
      await answeredOrLocked(on, beginning);
      held.release();
      const renewed = await renewing;
      const one = await beginning;
      expect(one).toBeNull();
      await isAlive(renewed.login);
    });

    test.each(EVERYWHERE)('stopped %s while the login is renewed: goes on until that ends', async (at) => {
      const of = await family();
      const held = hold(on.at(1).world.database, 'insert_session', at);
      const beginning = child(of);
      await held.reached;
      const renewing = confirm(of);
      await answeredOrLocked(on, renewing);
      held.release();
      const one = await beginning;
      const renewed = await renewing;
      expect(one === null).toBe(at === 'before');
      if (one) await isAlive(one);
      await on.at(0).call('POST', '/v1/logout', { bearer: bearerOf(renewed.login) });
      if (one) await isOver(one);
    });
  });

  test('"log out the others" spares the login of the caller and what was begun through it', async () => {
    const of = await family();
    const [one, another] = [await born(of), await born(of)];
    const other = await begun(on.at(0), of.userId, { clientId: PAGES });
    const body = { scope: 'others' };
    expect((await on.at(0).call('POST', '/v1/logout', { bearer: bearerOf(one), body })).status).toBe(200);
    for (const spared of [of.login, one, another]) await isAlive(spared);
    await isOver(other);
  });

  test('a change of the password ends it, and the login that replaces the caller has none', async () => {
    const of = await family();
    const one = await born(of);
    const body = { current_password: 'secret', new_password: 'another long password' };
    const { status, json } = await on
      .at(0)
      .call('POST', '/v1/password', { bearer: bearerOf(of.login), body });
    expect(status).toBe(200);
    for (const over of [of.login, one]) await isOver(over);
    const bearerNow = String(json['access_token']);
    expect((await on.at(1).call('GET', '/v1/check', { bearer: bearerNow })).status).toBe(200);
  });

  test('is not begun while a node of an older version is registered, and none registers afterwards', async () => {
    const of = await family();
    const register = `insert into nodes (id, beat, started_at, wire) values (gen_random_uuid(), nextval('positions'), now(), 1)`;
    await born(of);
    await expect(on.rows(register)).rejects.toMatchObject({ code: 'CF002' });
  });

  test('that a lock keeps from being marked is over all the same, and marked later', async () => {
    const of = await family();
    const one = await born(of);
    const held = hold(on.at(1).world.database, 'lock_child', 'uncommitted');
    const locking = on.at(1).world.database.query({
      name: 'lock_child',
      text: 'select id from user_sessions where id = $1 for update',
      values: [one.session.sid],
    });
    await held.reached;
    await on.at(0).call('POST', '/v1/logout', { bearer: bearerOf(of.login) });
    await isOver(one);
    held.release();
    await locking;
    await until('its row is marked', async () => {
      const [row] = await on.rows<{ is_active: boolean }>(
        'select is_active from user_sessions where id = $1',
        one.session.sid,
      );
      return row?.is_active === false;
    });
  });
});
