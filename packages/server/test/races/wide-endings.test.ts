/** Endings of a tenant and of a grant: everywhere at once, no other sessions, and never past a node of an older version. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasPostgres } from '../services/fresh-database.ts';
import { hold } from '../services/held-database.ts';
import { type Answer, type AnyJson, SERVICE_KEY } from '../support.ts';
import { answeredOrLocked, openPlace, type Place, until } from './node.ts';
import { type InProcessVerifier, verifierOf } from './verifier.ts';

interface Login {
  sid: string;
  bearer: string;
}

describe.runIf(hasPostgres())('an ending', () => {
  let on: Place;
  let verifier: InProcessVerifier;
  beforeEach(async () => {
    on = await openPlace('postgres', { CURFEW_CLIENTS: '{"shop":{}}' });
    verifier = verifierOf(on.at(0));
  });
  afterEach(async () => {
    verifier.stop();
    await on.close();
  });

  const admin = (method: string, path: string, body?: object): Promise<Answer<AnyJson>> =>
    on.at(0).call(method, path, { bearer: SERVICE_KEY, ...(body && { body }) });
  const end = (body: object): Promise<Answer<AnyJson>> => admin('POST', '/v1/admin/logout', body);
  const logIn = async (userId: number, clientId = 'default'): Promise<Login> => {
    const { json } = await admin('POST', '/v1/admin/sessions', { user_id: userId, client_id: clientId });
    return { sid: json.session.id, bearer: json.access_token };
  };
  const addTenant = (): Promise<unknown> =>
    on.rows(`insert into tenants (id, created_at) values ('acme', now())`);
  const userOf = async (tenant: string): Promise<number> => {
    const { id } = await on.user();
    await on.rows('update users set tenant = $2 where id = $1', id, tenant);
    return id;
  };
  /** By both nodes, and by a verifier that asks nobody. */
  const accepted = async ({ bearer }: Login): Promise<boolean> => {
    const answers = await Promise.all(on.nodes.map((node) => node.call('GET', '/v1/check', { bearer })));
    const verdicts = [...answers.map(({ status }) => status === 200), verifier.accepts(bearer)];
    expect(new Set(verdicts).size).toBe(1);
    return verdicts[0] === true;
  };
  const eventsOf = async (userId: number): Promise<Record<string, unknown>[]> =>
    (await admin('GET', `/v1/admin/events?user_id=${userId}&type=sessions_ended`)).json.events;

  test('of a tenant counts first, then ends all of its sessions and no others', async () => {
    await addTenant();
    const [theirs, others] = [await userOf('acme'), await userOf('default')];
    const ended = [await logIn(theirs), await logIn(theirs, 'shop')];
    const spared = await logIn(others);
    for (const one of [...ended, spared]) expect(await accepted(one)).toBe(true);

    expect((await end({ scope: 'tenant', tenant: 'nobody' })).status).toBe(404);
    const preview = await end({ scope: 'tenant', tenant: 'acme', dry_run: true });
    expect(preview.json).toMatchObject({ dry_run: true, count: 2 });
    const asked = await end({ scope: 'tenant', tenant: 'acme' });
    expect([asked.status, asked.json]).toMatchObject([409, { code: 'confirmation_required', count: 2 }]);
    const wrong = await end({ scope: 'tenant', tenant: 'acme', confirm: 1 });
    expect(wrong.status).toBe(409);
    for (const one of ended) expect(await accepted(one)).toBe(true);

    const done = await end({ scope: 'tenant', tenant: 'acme', confirm: 2 });
    expect([done.status, done.json]).toMatchObject([200, { ended: 2, more: true, confirmed: true }]);
    for (const one of ended) expect(await accepted(one)).toBe(false);
    expect(await accepted(spared)).toBe(true);
    expect(await accepted(await logIn(theirs))).toBe(true);

    const [event] = await eventsOf(theirs);
    expect(event).toMatchObject({ scope: 'tenant', tenant: 'acme', user_id: null, reason: 'admin_logout' });
    expect(await eventsOf(others)).toEqual([]);
    await until('the rows are marked', async () => {
      const rows = await on.rows(
        `select 1 from user_sessions where tenant = 'acme' and not is_active and ended_position = $1`,
        event?.['position'],
      );
      return rows.length === 2;
    });
  });

  test('of a grant ends the sessions of one user with one application', async () => {
    const [theirs, others] = [await userOf('default'), await userOf('default')];
    const ended = [await logIn(theirs, 'shop'), await logIn(theirs, 'shop')];
    const spared = [await logIn(theirs), await logIn(others, 'shop')];
    for (const one of [...ended, ...spared]) expect(await accepted(one)).toBe(true);
    const body = { scope: 'grant', user_id: theirs, client_id: 'shop' };
    expect((await end({ ...body, dry_run: true })).json).toMatchObject({ count: 2 });
    expect((await end(body)).json).toMatchObject({ ended: 2, more: false, confirmed: true });
    for (const one of ended) expect(await accepted(one)).toBe(false);
    for (const one of spared) expect(await accepted(one)).toBe(true);
    expect(await eventsOf(theirs)).toMatchObject([{ scope: 'grant', user_id: theirs, client_id: 'shop' }]);
    expect(await eventsOf(others)).toEqual([]);
    // Where the marker of an older node looks, the user is not named: it would mark every session of theirs.
    expect(await on.rows(`select user_id, user_ids, cut_user from events where scope = 'grant'`)).toEqual([
      { user_id: null, user_ids: null, cut_user: theirs },
    ]);
  });

  describe('while a node of an older version is registered', () => {
    const register = (): Promise<unknown> =>
      on.rows(`insert into nodes (id, started_at) values ('00000000-0000-7000-8000-000000000001', now())`);
    const deregister = (): Promise<unknown> => on.rows('delete from nodes where wire = 1');
    const body = (userId: number) => ({ scope: 'grant', user_id: userId, client_id: 'default' });

    test('is refused where that node would not follow it, and ends what it names without it', async () => {
      await addTenant();
      const userId = await userOf('default');
      const login = await logIn(userId);
      await on.rows('delete from tenants where id <> $1', 'default');
      await register();
      for (const asked of [
        body(userId),
        { scope: 'tenant', tenant: 'default', confirm: 1 },
        { scope: 'login', session: login.sid },
      ]) {
        const { status, json } = await end(asked);
        expect([status, json]).toMatchObject([503, { code: 'older_node' }]);
      }
      expect(await accepted(login)).toBe(true);
      expect(await on.rows('select * from cuts')).toEqual([]);
      await deregister();
      expect((await end(body(userId))).json).toMatchObject({ ended: 1, confirmed: true });
    });

    test('of a kind that it knows is as before', async () => {
      const userId = await userOf('default');
      const login = await logIn(userId);
      await register();
      expect((await end({ scope: 'user', user_id: userId })).json).toMatchObject({
        ended: 1,
        confirmed: true,
        waited_out: 1,
      });
      await deregister();
      expect(await accepted(login)).toBe(false);
    });

    test('no second tenant is made', async () => {
      await register();
      await expect(addTenant()).rejects.toMatchObject({ code: 'CF001' });
      await deregister();
      await addTenant();
      await expect(register()).rejects.toMatchObject({ code: 'CF002' });
    });

    test('keeps it from registering afterwards, also when the two meet', async () => {
      const userId = await userOf('default');
      await logIn(userId);
      const held = hold(on.at(0).world.database, 'cut_grant', 'uncommitted');
      const ending = end(body(userId));
      await held.reached;
      const registering = register().then(
        () => 'registered',
        (error: { code?: string }) => error.code,
      );
      await answeredOrLocked(on, registering);
      held.release();
      expect(await registering).toBe('CF002');
      expect((await ending).json).toMatchObject({ ended: 1, confirmed: true });
    });
  });

  test('waits for an older node that is registering, and is refused', async () => {
    const userId = await userOf('default');
    const login = await logIn(userId);
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let inserted = (): void => undefined;
    const isInserted = new Promise<void>((resolve) => (inserted = resolve));
    const registering = on.at(1).world.database.transaction(async (within) => {
      await within.query({
        text: `insert into nodes (id, started_at) values (gen_random_uuid(), now())`,
        values: [],
      });
      inserted();
      await released;
    });
    await isInserted;
    const ending = end({ scope: 'grant', user_id: userId, client_id: 'default' });
    await answeredOrLocked(on, ending);
    release();
    await registering;
    expect((await ending).json).toMatchObject({ code: 'older_node' });
    expect(await accepted(login)).toBe(true);
    await on.rows('delete from nodes where wire = 1');
  });

  test('is not missed by sessions that an older node opens: it opens none once there are two tenants', async () => {
    const insert = () =>
      on.rows(
        `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
           idle_seconds, idle_expires_at, expires_at)
         values (gen_random_uuid(), $1, 'shop', 'd', 'v1', nextval('positions'), now(), now(), 600, now(), now())
         returning tenant`,
        userId,
      );
    const userId = await userOf('default');
    expect(await insert()).toEqual([{ tenant: 'default' }]);
    await addTenant();
    await expect(insert()).rejects.toMatchObject({ code: 'CF002' });
  });
});
