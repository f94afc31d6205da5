/** `/v1/admin`: every scope ends the right sessions and no others; every change to a user ends theirs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Caller,
  NEW_PASSWORD,
  openAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { ADMIN, alive, newUser, type OpenSession, opened, v1Login } from './logins.ts';

describe('the administration', () => {
  let on: TestAuthority;
  let call: Caller;
  let admin: OpenSession;
  let ada: { id: number; email: string };
  let bob: { id: number; email: string };
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), { CURFEW_CLIENTS: '{"shop":{}}' });
    call = described(on.call);
    [ada, bob] = [await newUser(call), await newUser(call)];
  });
  afterAll(() => on.close());

  /** Ada on two devices and in the shop, Bob in the shop, and the administrator. */
  let sessions: OpenSession[];
  async function setUp(): Promise<void> {
    const { json } = await call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'everyone' },
    });
    await call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'everyone', confirm: json.count },
    });
    // However the test before left her.
    await call('PATCH', `/v1/admin/users/${ada.id}`, {
      bearer: SERVICE_KEY,
      body: { disabled: false, role: 'user' },
    });
    admin = await v1Login(call, ADMIN);
    sessions = [
      await opened(call, ada.id, { device: { id: 'laptop' } }),
      await opened(call, ada.id, { device: { id: 'phone' } }),
      await opened(call, ada.id, { device: { id: 'phone' }, client_id: 'shop' }),
      await opened(call, bob.id, { device: { id: 'phone' }, client_id: 'shop' }),
      admin,
    ];
  }
  const logOut = (body: object, bearer = admin.bearer) => call('POST', '/v1/admin/logout', { bearer, body });
  const living = (): Promise<boolean[]> => alive(call, sessions);
  const newest = async (query = ''): Promise<Record<string, unknown>> =>
    (await call('GET', `/v1/admin/events?limit=1&refused=false${query}`, { bearer: SERVICE_KEY })).json
      .events[0];

  const scopes: [string, () => object, boolean[], object][] = [
    [
      'sessions',
      () => ({ scope: 'sessions', sessions: [sessions[1]?.sid, sessions[3]?.sid] }),
      [true, false, true, false, true],
      { scope: 'sessions' },
    ],
    [
      'user',
      () => ({ scope: 'user', user_id: ada.id }),
      [false, false, false, true, true],
      { scope: 'user', user_id: null },
    ],
    [
      'users',
      () => ({ scope: 'users', user_ids: [ada.id, bob.id, ada.id] }),
      [false, false, false, false, true],
      { scope: 'users' },
    ],
    [
      'device',
      () => ({ scope: 'device', user_id: ada.id, device_id: 'phone' }),
      [true, false, false, true, true],
      { scope: 'device', device_id: 'phone' },
    ],
    [
      'client',
      () => ({ scope: 'client', client_id: 'shop' }),
      [true, true, false, false, true],
      { scope: 'client', client_id: 'shop' },
    ],
  ];
  test.each(scopes)('ends by %s', async (_name, body, expected, event) => {
    await setUp();
    const { status, json } = await logOut(body());
    expect([status, json]).toMatchObject([
      200,
      { ended: expected.filter((one) => !one).length, more: false, confirmed: true },
    ]);
    expect(await living()).toEqual(expected);
    expect(await newest()).toMatchObject({
      type: 'sessions_ended',
      reason: 'admin_logout',
      actor: 'user:1',
      ...event,
      ...('user_id' in event ? { user_id: ada.id } : {}),
    });
  });

  test('an unknown user, application or device: nothing ends', async () => {
    await setUp();
    for (const body of [
      { scope: 'user', user_id: 4711 },
      { scope: 'client', client_id: 'nothing' },
      { scope: 'device', user_id: bob.id, device_id: 'laptop' },
      { scope: 'sessions', sessions: ['019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60'] },
    ])
      expect((await logOut(body)).json).toMatchObject({ ended: 0 });
    expect(await living()).toEqual([true, true, true, true, true]);
  });

  test('everyone: counted first, refused with a wrong count, then ended', async () => {
    await setUp();
    const counted = await logOut({ scope: 'everyone' });
    expect([counted.status, counted.json]).toEqual([
      409,
      expect.objectContaining({ code: 'confirmation_required', count: 5 }),
    ]);
    for (const confirm of [0, 4, 6, 500]) {
      const refused = await logOut({ scope: 'everyone', confirm });
      expect([confirm, refused.status, refused.json.count]).toEqual([confirm, 409, 5]);
    }
    expect(await living()).toEqual([true, true, true, true, true]);
    const done = await logOut({ scope: 'everyone', confirm: 5 });
    expect([done.status, done.json]).toMatchObject([200, { ended: 5 }]);
    expect(await living()).toEqual([false, false, false, false, false]);
    expect(await newest()).toMatchObject({ scope: 'everyone', reason: 'admin_logout', actor: 'user:1' });
    // A later login is alive.
    expect(await alive(call, [await opened(call, ada.id)])).toEqual([true]);
  });

  test('everyone: a twentieth of drift is allowed', async () => {
    await setUp();
    await call('POST', '/v1/admin/sessions', { bearer: SERVICE_KEY, body: { user_id: bob.id, count: 95 } });
    expect((await logOut({ scope: 'everyone', confirm: 94 })).status).toBe(409);
    expect((await logOut({ scope: 'everyone', confirm: 106 })).status).toBe(409);
    expect((await logOut({ scope: 'everyone', confirm: 95 })).status).toBe(200);
  });

  test.each(['user', 'users', 'device', 'client', 'everyone'])(
    'scope %s with more sessions than are marked at once answers how many ended, and counts none twice',
    async (scope) => {
      await setUp();
      const many = { user_id: bob.id, client_id: 'shop', device: { id: 'rack' } };
      const body = {
        user: { user_id: bob.id },
        users: { user_ids: [bob.id] },
        device: { user_id: bob.id, device_id: 'rack' },
        client: { client_id: 'shop' },
        everyone: { confirm: 155 },
      }[scope];
      const expected = { user: 151, users: 151, device: 150, client: 152, everyone: 155 }[scope];
      await call('POST', '/v1/admin/sessions', { bearer: SERVICE_KEY, body: { ...many, count: 150 } });
      expect((await logOut({ scope, ...body }, SERVICE_KEY)).json).toMatchObject({
        ended: expected,
        more: true,
      });
      // Their rows may not be marked yet.
      const again = await logOut(
        { scope, ...body, ...(scope === 'everyone' ? { confirm: 0 } : {}) },
        SERVICE_KEY,
      );
      expect(again.json.ended).toBe(0);
    },
  );

  test('a service key is an administrator without a session', async () => {
    await setUp();
    expect((await logOut({ scope: 'user', user_id: bob.id }, SERVICE_KEY)).json).toMatchObject({ ended: 1 });
    expect(await living()).toEqual([true, true, true, false, true]);
    expect(await newest()).toMatchObject({ actor: 'service' });
  });

  describe('a change of the user ends sessions', () => {
    const path = (more = ''): string => `/v1/admin/users/${ada.id}${more}`;
    const change = (body: object) => call('PATCH', path(), { bearer: admin.bearer, body });

    test.each<[string, () => Promise<{ status: number }>, string | null, string[]?]>([
      ['disabling', () => change({ disabled: true }), 'user_disabled'],
      ['enabling who is enabled', () => change({ disabled: false }), null, ['disabled']],
      ['a role', () => change({ role: 'admin' }), 'role_changed'],
      ['the same role', () => change({ role: 'user' }), null, ['role']],
      ['a role and disabling at once', () => change({ role: 'admin', disabled: true }), 'user_disabled'],
      ['a name', () => change({ name: 'Ada', workspace: 'lab' }), null, ['name', 'workspace']],
      [
        'a reset',
        () => call('POST', path('/password'), { bearer: admin.bearer, body: { password: NEW_PASSWORD } }),
        'password_reset',
      ],
    ])('%s', async (_name, act, reason, changed) => {
      await setUp();
      const { status } = await act();
      expect(status).toBe(200);
      const over = reason !== null;
      expect(await living()).toEqual([!over, !over, !over, true, true]);
      expect(await newest(`&user_id=${ada.id}`)).toMatchObject(
        over
          ? { type: 'sessions_ended', reason, scope: 'user', actor: 'user:1' }
          : { type: 'user_changed', details: { fields: changed } },
      );
      if (reason === 'user_disabled') {
        await expect(opened(call, ada.id)).rejects.toThrow('404');
        const login = await call('POST', '/v1/login', { body: { email: ada.email, password: NEW_PASSWORD } });
        expect([login.status, login.json.code]).toEqual([401, 'invalid_credentials']);
        // Disabling twice is the same as once; and no session returns when the account is enabled again.
        for (const disabled of [true, false]) {
          await change({ disabled });
          expect(await newest(`&user_id=${ada.id}`)).toMatchObject({
            type: 'user_changed',
            details: { fields: ['disabled'] },
          });
          expect(await living()).toEqual([false, false, false, true, true]);
        }
      }
    });

    test('an administrator’s own new role or password spares the caller’s session only', async () => {
      const own = await newUser(call, { role: 'admin' });
      const [asking, other] = [await v1Login(call, own.email), await v1Login(call, own.email)];
      const self = `/v1/admin/users/${own.id}`;
      await call('POST', `${self}/password`, { bearer: asking.bearer, body: { password: NEW_PASSWORD } });
      expect(await alive(call, [asking, other])).toEqual([true, false]);
      expect(await newest(`&user_id=${own.id}`)).toMatchObject({
        reason: 'password_reset',
        scope: 'others',
        except_session: asking.sid,
      });
      expect((await call('PATCH', self, { bearer: asking.bearer, body: { role: 'user' } })).status).toBe(200);
      // The role is gone at once, but the session is alive.
      expect((await call('GET', '/v1/admin/users', { bearer: asking.bearer })).status).toBe(403);
      expect(await alive(call, [asking])).toEqual([true]);
      await call('PATCH', self, { bearer: SERVICE_KEY, body: { role: 'admin' } });
      expect(await alive(call, [asking])).toEqual([false]);
    });

    test('a spared session has the new role at once, and the others are gone', async () => {
      await setUp();
      const user = await v1Login(call, ada.email);
      expect((await call('GET', '/v1/admin/users', { bearer: user.bearer })).status).toBe(403);
      await change({ role: 'admin' });
      expect(await alive(call, [user])).toEqual([false]);
      const promoted = await v1Login(call, ada.email);
      expect((await call('GET', '/v1/admin/users', { bearer: promoted.bearer })).status).toBe(200);
      expect((await call('GET', '/v1/check', { bearer: promoted.bearer })).headers.get('curfew-role')).toBe(
        'admin',
      );
      await change({ role: 'user' });
    });

    test('the user’s own new password needs the current one, ends the others and keeps this session', async () => {
      await setUp();
      const [asking, other] = [await v1Login(call, bob.email), await v1Login(call, bob.email)];
      const next = 'another password';
      const ask = (current_password: string, new_password: string) =>
        call('POST', '/v1/password', { bearer: asking.bearer, body: { current_password, new_password } });
      const wrong = await ask('not it', next);
      expect([wrong.status, wrong.json]).toMatchObject([
        401,
        { code: 'invalid_credentials', field: 'current_password' },
      ]);
      const short = await ask(NEW_PASSWORD, '🔒🔒🔒🔒🔒🔒🔒');
      expect([short.status, short.json.field]).toEqual([400, 'new_password']);
      expect(await alive(call, [asking, other])).toEqual([true, true]);
      const changed = await ask(NEW_PASSWORD, next);
      expect(changed.status).toBe(200);
      const renewed = { bearer: changed.json.access_token as string };
      expect(await alive(call, [renewed, asking, other, ...sessions.slice(3, 4)])).toEqual([
        true,
        false,
        false,
        false,
      ]);
      expect(await newest(`&user_id=${bob.id}&reason=password_changed`)).toMatchObject({
        reason: 'password_changed',
        scope: 'user',
        actor: `user:${bob.id}`,
      });
      expect(
        (await call('POST', '/v1/login', { body: { email: bob.email, password: NEW_PASSWORD } })).status,
      ).toBe(401);
      expect((await call('POST', '/v1/login', { body: { email: bob.email, password: next } })).status).toBe(
        200,
      );
      await call('POST', `/v1/admin/users/${bob.id}/password`, {
        bearer: SERVICE_KEY,
        body: { password: NEW_PASSWORD },
      });
    });

    test('a reset without a password generates one, shown once', async () => {
      await setUp();
      const { json } = await call('POST', path('/password'), { bearer: SERVICE_KEY });
      expect(json.password).toMatch(/^[\w-]{20}$/);
      expect(await living()).toEqual([false, false, false, true, true]);
      expect(
        (await call('POST', '/v1/login', { body: { email: ada.email, password: json.password } })).status,
      ).toBe(200);
      expect(
        (await call('POST', path('/password'), { bearer: SERVICE_KEY, body: { password: NEW_PASSWORD } }))
          .json,
      ).toEqual({});
    });

    test('a deletion ends everything and erases the person; the address is free again, the id is not', async () => {
      await setUp();
      const gone = await newUser(call, { name: 'Grace', workspace: 'lab' });
      const session = await v1Login(call, gone.email);
      expect((await call('DELETE', `/v1/admin/users/${gone.id}`, { bearer: admin.bearer })).status).toBe(204);
      expect(await alive(call, [session])).toEqual([false]);
      expect(await newest(`&user_id=${gone.id}`)).toMatchObject({
        reason: 'user_deleted',
        scope: 'user',
        actor: 'user:1',
      });
      expect((await call('GET', `/v1/admin/users/${gone.id}`, { bearer: SERVICE_KEY })).status).toBe(404);
      for (const [method, more] of [
        ['DELETE', ''],
        ['PATCH', ''],
        ['POST', '/password'],
      ] as const)
        expect(
          (
            await call(method, `/v1/admin/users/${gone.id}${more}`, {
              bearer: SERVICE_KEY,
              ...(method === 'PATCH' ? { body: { name: 'x' } } : {}),
            })
          ).status,
        ).toBe(404);
      const again = await call('POST', '/v1/admin/users', {
        bearer: SERVICE_KEY,
        body: { email: gone.email, password: NEW_PASSWORD },
      });
      expect([again.status, again.json.user.id === gone.id]).toEqual([201, false]);
    });
  });
});
