/** Every scope of `/v1/logout`: the right sessions end, and no others. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Caller, openAuthority, routeBackend, SERVICE_KEY, type TestAuthority } from '../support.ts';
import { described } from './described.ts';
import { alive, newUser, type OpenSession, opened } from './logins.ts';

describe('/v1', () => {
  let on: TestAuthority;
  let call: Caller;
  let me: { id: number };
  let stranger: { id: number };
  /** Mine on the laptop (twice) and on the phone; a stranger's on a device of the same name. */
  let laptop: OpenSession;
  let laptopShop: OpenSession;
  let phone: OpenSession;
  let theirs: OpenSession;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), { CURFEW_CLIENTS: '{"shop":{}}' });
    call = described(on.call);
    [me, stranger] = [await newUser(call), await newUser(call)];
  });
  afterAll(() => on.close());

  async function setUp(): Promise<void> {
    await call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'users', user_ids: [me.id, stranger.id] },
    });
    laptop = await opened(call, me.id, { device: { id: 'laptop' } });
    laptopShop = await opened(call, me.id, { device: { id: 'laptop' }, client_id: 'shop' });
    phone = await opened(call, me.id, { device: { id: 'phone' } });
    theirs = await opened(call, stranger.id, { device: { id: 'laptop' } });
  }
  const living = (): Promise<boolean[]> => alive(call, [laptop, laptopShop, phone, theirs]);
  const newest = async (): Promise<Record<string, unknown>> =>
    (await call('GET', `/v1/admin/events?user_id=${me.id}&limit=1`, { bearer: SERVICE_KEY })).json.events[0];

  const ended = (count: number) => ({
    ended: count,
    more: false,
    confirmed: true,
    ms: expect.any(Number),
    acknowledged: 0,
    waited_out: 0,
  });

  const scopes: [string, () => object | undefined, boolean[], string, string][] = [
    ['without a body', () => undefined, [false, true, true, true], 'sessions', 'laptop'],
    ['this', () => ({ scope: 'this' }), [false, true, true, true], 'sessions', 'laptop'],
    ['others', () => ({ scope: 'others' }), [true, false, false, true], 'others', 'laptop'],
    ['all', () => ({ scope: 'all' }), [false, false, false, true], 'user', 'laptop'],
    [
      'device, the one that asks',
      () => ({ scope: 'device' }),
      [false, false, true, true],
      'device',
      'laptop',
    ],
    [
      'device, another',
      () => ({ scope: 'device', device: 'phone' }),
      [true, true, false, true],
      'device',
      'laptop',
    ],
    [
      'device, unknown',
      () => ({ scope: 'device', device: 'fridge' }),
      [true, true, true, true],
      'device',
      'laptop',
    ],
    [
      'selected, one',
      () => ({ scope: 'selected', sessions: [phone.sid] }),
      [true, true, false, true],
      'sessions',
      'laptop',
    ],
    [
      'selected, two, one of them twice',
      () => ({ scope: 'selected', sessions: [phone.sid, laptopShop.sid, phone.sid] }),
      [true, false, false, true],
      'sessions',
      'laptop',
    ],
    [
      'selected, with a stranger’s',
      () => ({ scope: 'selected', sessions: [phone.sid, theirs.sid] }),
      [true, true, false, true],
      'sessions',
      'laptop',
    ],
  ];
  test.each(scopes)('scope %s', async (_name, body, expected, scope) => {
    await setUp();
    const given = body();
    const answer = await call('POST', '/v1/logout', {
      bearer: laptop.bearer,
      ...(given ? { body: given } : {}),
    });
    const count = expected.slice(0, 3).filter((one) => !one).length;
    expect([answer.status, answer.json]).toEqual([200, ended(count)]);
    expect(Object.keys(answer.json)).toEqual([
      'ended',
      'more',
      'confirmed',
      'ms',
      'acknowledged',
      'waited_out',
    ]);
    expect(await living()).toEqual(expected);
    const event = await newest();
    expect(event).toMatchObject({
      type: 'sessions_ended',
      scope,
      reason: 'logout',
      actor: `user:${me.id}`,
      contract: 'v1',
      ip_address: '192.0.2.1',
    });
    // The rows that contract 001 names say the same, with how and by whom.
    const { json } = await call('GET', `/v1/admin/sessions?user_id=${me.id}&ended=true&limit=3`, {
      bearer: SERVICE_KEY,
    });
    const rows = new Map(json.sessions.map((row: { id: string }) => [row.id, row]));
    [laptop, laptopShop, phone].forEach((session, i) => {
      expect(rows.get(session.sid)).toMatchObject(
        expected[i]
          ? { active: true, ended: null }
          : { active: false, ended: { by: `user:${me.id}`, reason: 'logout', at: expect.any(String) } },
      );
    });
    // An ended session leaves nothing, also no refresh token.
    for (const [i, session] of [laptop, laptopShop, phone].entries()) {
      const { status } = await call('POST', '/v1/refresh', { body: { refresh_token: session.refresh } });
      expect(status).toBe(expected[i] ? 200 : 401);
    }
  });

  test('another user’s session cannot be ended or seen, and looks like an unknown one', async () => {
    await setUp();
    const gone = await call('DELETE', '/v1/sessions/019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60', {
      bearer: laptop.bearer,
    });
    const foreign = await call('DELETE', `/v1/sessions/${theirs.sid}`, { bearer: laptop.bearer });
    expect([gone.status, foreign.status, foreign.text]).toEqual([404, 404, gone.text]);
    const selected = await call('POST', '/v1/logout', {
      bearer: laptop.bearer,
      body: { scope: 'selected', sessions: [theirs.sid] },
    });
    expect([selected.status, selected.json]).toEqual([200, ended(0)]);
    const device = await call('POST', '/v1/logout', {
      bearer: phone.bearer,
      body: { scope: 'device', device: 'laptop' },
    });
    expect(device.json.ended).toBe(2);
    expect(await living()).toEqual([false, false, true, true]);
    const { json } = await call('GET', '/v1/sessions', { bearer: phone.bearer });
    expect(json.sessions.map((one: { id: string }) => one.id)).toEqual([phone.sid]);
  });

  test('DELETE ends one of the user’s sessions, once, also the caller’s', async () => {
    await setUp();
    const path = `/v1/sessions/${phone.sid}`;
    expect((await call('DELETE', path, { bearer: laptop.bearer })).json).toEqual(ended(1));
    expect((await call('DELETE', path, { bearer: laptop.bearer })).status).toBe(404);
    expect((await call('DELETE', `/v1/sessions/${laptop.sid}`, { bearer: laptop.bearer })).json).toEqual(
      ended(1),
    );
    expect(await living()).toEqual([false, true, false, true]);
  });

  test('the list of devices is newest first, and marks the caller’s', async () => {
    await setUp();
    const { json } = await call('GET', '/v1/sessions', { bearer: laptopShop.bearer });
    expect(
      json.sessions.map(
        (one: { id: string; current: boolean; client_id: string; device: { id: string } }) => [
          one.id,
          one.current,
          one.client_id,
          one.device.id,
        ],
      ),
    ).toEqual([
      [phone.sid, false, 'default', 'phone'],
      [laptopShop.sid, true, 'shop', 'laptop'],
      [laptop.sid, false, 'default', 'laptop'],
    ]);
  });

  test('the session is answered to every credential', async () => {
    await setUp();
    const { status, json } = await call('GET', '/v1/session', { bearer: laptop.bearer });
    expect(status).toBe(200);
    expect(json.session).toMatchObject({
      id: laptop.sid,
      user_id: me.id,
      client_id: 'default',
      device_id: 'laptop',
    });
    expect(Object.keys(json)).toEqual(['session', 'user']);
  });

  test('an ended session can end nothing', async () => {
    await setUp();
    await call('POST', '/v1/logout', { bearer: laptop.bearer });
    for (const [method, path, body] of [
      ['POST', '/v1/logout', { scope: 'all' }],
      ['DELETE', `/v1/sessions/${phone.sid}`, undefined],
      ['GET', '/v1/sessions', undefined],
      ['POST', '/v1/password', { current_password: 'x', new_password: 'long enough' }],
    ] as const) {
      const { status, json, headers } = await call(method, path, {
        bearer: laptop.bearer,
        ...(body ? { body } : {}),
      });
      expect([path, status, json.code, headers.get('www-authenticate')]).toEqual([
        path,
        401,
        'not_authenticated',
        'Bearer',
      ]);
    }
    expect(await living()).toEqual([false, true, true, true]);
  });

  test('wait "none" answers after the commit with confirmed false', async () => {
    await setUp();
    const { json } = await call('POST', '/v1/logout', { bearer: laptop.bearer, body: { wait: 'none' } });
    expect(json).toMatchObject({ ended: 1, confirmed: false });
    expect(await living()).toEqual([false, true, true, true]);
  });

  test('a user with more than 100 sessions: all dead at once, the rows marked a little later', async () => {
    const many = await newUser(call);
    const { json } = await call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: many.id, count: 130 },
    });
    const sessions = json.sessions.map((one: { access_token: string }) => ({ bearer: one.access_token }));
    expect(sessions).toHaveLength(130);
    const answer = await call('POST', '/v1/logout', { bearer: sessions[0].bearer, body: { scope: 'all' } });
    expect(answer.json).toMatchObject({ ended: 130, more: true, confirmed: true });
    expect((await alive(call, sessions)).filter(Boolean)).toEqual([]);
    for (const one of json.sessions.slice(0, 5))
      expect((await call('POST', '/v1/refresh', { body: { refresh_token: one.refresh_token } })).status).toBe(
        401,
      );
    const after = await opened(call, many.id);
    const unmarked = async (): Promise<number> => {
      const page = await call('GET', `/v1/admin/sessions?user_id=${many.id}&ended=true&limit=1000`, {
        bearer: SERVICE_KEY,
      });
      expect(page.json.sessions).toHaveLength(131);
      expect(page.json.sessions.filter((one: { active: boolean }) => one.active)).toHaveLength(1);
      return page.json.sessions.filter((one: { ended: unknown }) => one.ended === null).length;
    };
    await expect.poll(unmarked).toBe(1);
    expect(await alive(call, [after])).toEqual([true]);
  });

  test('100 sessions are marked in the statement itself', async () => {
    const many = await newUser(call);
    const { json } = await call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: many.id, count: 100 },
    });
    const answer = await call('POST', '/v1/logout', {
      bearer: json.sessions[0].access_token,
      body: { scope: 'others' },
    });
    expect(answer.json).toMatchObject({ ended: 99, more: false });
    const page = await call('GET', `/v1/admin/sessions?user_id=${many.id}&ended=true&limit=1000`, {
      bearer: SERVICE_KEY,
    });
    expect(page.json.sessions.filter((one: { ended: unknown }) => one.ended === null)).toHaveLength(1);
  });
});
