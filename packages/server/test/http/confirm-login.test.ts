/** Logging out others and all asks for the password again, when that is set and the password was given long ago. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPlace, type Place } from '../races/node.ts';
import { type Caller, routeBackend, SERVICE_KEY } from '../support.ts';
import { described, ROWS, rowOf } from './described.ts';
import { alive, opened, type OpenSession } from './logins.ts';

const SECONDS = 300;

describe('confirmation of the password', () => {
  let place: Place;
  let call: Caller;
  beforeAll(async () => {
    place = await openPlace(routeBackend(), {
      CURFEW_CONFIRM_AFTER_SECONDS: String(SECONDS),
      CURFEW_ACCESS_TOKEN_SECONDS: '86400',
      CURFEW_LOGIN_FAILURES_PAIR: '3',
    });
    call = described(place.at(0).call);
  });
  afterAll(() => place.close());

  const two = async (): Promise<{ email: string; mine: OpenSession; other: OpenSession; id: number }> => {
    const { id, email } = await place.user();
    return { id, email, mine: await opened(call, id), other: await opened(call, id) };
  };
  const logOut = (bearer: string, scope: string, at = 0) =>
    described(place.at(at).call)('POST', '/v1/logout', { bearer, body: { scope } });
  const confirm = (bearer: string, password: string, address = '192.0.2.1', at = 0) =>
    described(place.at(at).call)('POST', '/v1/session/confirm', { bearer, body: { password }, address });

  test.each(['others', 'all'])('%s: refused after an old login, and nothing ends', async (scope) => {
    const { mine, other } = await two();
    place.clock.advance(SECONDS + 1);
    const { status, json } = await logOut(mine.bearer, scope);
    expect([status, json.code]).toEqual([403, 'login_too_old']);
    expect(await alive(call, [mine, other])).toEqual([true, true]);
    const confirmed = await confirm(mine.bearer, 'secret');
    expect(confirmed.status).toBe(200);
    const renewed = { bearer: confirmed.json.access_token as string };
    // At another node as well: it is the session's, not this process's.
    const done = await logOut(renewed.bearer, scope, 1);
    expect([done.status, done.json.ended]).toEqual([200, scope === 'all' ? 2 : 1]);
    expect(await alive(call, [mine, renewed, other])).toEqual([false, scope === 'others', false]);
  });

  test('is not asked for within the time, nor for the caller’s own session', async () => {
    const { mine, other } = await two();
    place.clock.advance(SECONDS);
    expect((await logOut(mine.bearer, 'others')).status).toBe(200);
    expect(await alive(call, [mine, other])).toEqual([true, false]);
    place.clock.advance(SECONDS);
    expect((await logOut(mine.bearer, 'this')).status).toBe(200);
  });

  test('counts for one session, and expires like a login', async () => {
    const { mine, other } = await two();
    place.clock.advance(SECONDS + 1);
    const { json } = await confirm(mine.bearer, 'secret');
    expect((await logOut(other.bearer, 'others')).json.code).toBe('login_too_old');
    place.clock.advance(SECONDS + 1);
    expect((await logOut(json.access_token, 'others')).json.code).toBe('login_too_old');
  });

  test('with a wrong password confirms nothing, and counts as a failed login', async () => {
    const { email, mine } = await two();
    place.clock.advance(SECONDS + 1);
    const address = '198.51.100.7';
    for (let i = 0; i < 3; i++) {
      const { status, json } = await confirm(mine.bearer, 'guess', address);
      expect([status, json.code, json.field]).toEqual([401, 'invalid_credentials', 'password']);
    }
    const held = await confirm(mine.bearer, 'secret', address);
    expect([held.status, held.json.code]).toEqual([429, 'rate_limited']);
    expect(Number(held.headers.get('retry-after'))).toBeGreaterThan(0);
    const login = await call('POST', '/v1/login', { body: { email, password: 'secret' }, address });
    expect(login.status).toBe(429);
    expect((await logOut(mine.bearer, 'all')).json.code).toBe('login_too_old');
    expect((await call('GET', '/v1/session', { bearer: mine.bearer })).status).toBe(200);
  });

  test('is refused for an ended session', async () => {
    const { mine } = await two();
    await logOut(mine.bearer, 'this');
    expect((await confirm(mine.bearer, 'secret')).json.code).toBe('not_authenticated');
  });

  const MINE: [string, (other: string, mine: string) => [string, string, unknown?]][] = [
    ['selected', (other, mine) => ['POST', '/v1/logout', { scope: 'selected', sessions: [mine, other] }]],
    ['device', () => ['POST', '/v1/logout', { scope: 'device' }]],
    ['another device', () => ['POST', '/v1/logout', { scope: 'device', device: 'phone' }]],
    ['DELETE', (other) => ['DELETE', `/v1/sessions/${other}`]],
  ];
  test.each(MINE)('%s asks for it where it reaches beyond this session', async (_name, ask) => {
    const { mine, other } = await two();
    place.clock.advance(SECONDS + 1);
    const [method, path, body] = ask(other.sid, mine.sid);
    const { status, json } = await call(method, path, {
      bearer: mine.bearer,
      ...(body === undefined ? {} : { body }),
    });
    expect([status, json.code]).toEqual([403, 'login_too_old']);
    expect(await alive(call, [mine, other])).toEqual([true, true]);
  });

  test('is not asked for when only this session is named, in any spelling, nor for a dry run', async () => {
    for (const end of [
      (sid: string) =>
        ['POST', '/v1/logout', { scope: 'selected', sessions: [sid, sid.toUpperCase()] }] as const,
      (sid: string) => ['DELETE', `/v1/sessions/${sid.toUpperCase()}`, {}] as const,
    ]) {
      const { mine } = await two();
      place.clock.advance(SECONDS + 1);
      const dry = { scope: 'all', dry_run: true };
      expect((await call('POST', '/v1/logout', { bearer: mine.bearer, body: dry })).status).toBe(200);
      const [method, path, body] = end(mine.sid);
      expect((await call(method, path, { bearer: mine.bearer, body })).status).toBe(200);
    }
  });

  test('is asked for before each change by an administrator, and nothing happens without it', async () => {
    const { id } = await place.user();
    await call('PATCH', `/v1/admin/users/${id}`, { bearer: SERVICE_KEY, body: { role: 'admin' } });
    const { bearer } = await opened(call, id);
    const victim = await two();
    place.clock.advance(SECONDS + 1);
    const newest = async () =>
      (await call('GET', '/v1/admin/events?limit=1', { bearer: SERVICE_KEY })).json.events[0].position;
    const before = await newest();
    const user = `/v1/admin/users/${victim.id}`;
    const count = (await call('POST', '/v1/admin/logout', { bearer, body: { scope: 'everyone' } })).json
      .count;
    const changes: [string, string, object][] = [
      ['POST', '/v1/admin/users', { email: 'eve@example.com' }],
      ['PATCH', user, { role: 'admin' }],
      ['PATCH', user, { disabled: true }],
      ['DELETE', user, {}],
      ['POST', `${user}/password`, {}],
      ['POST', '/v1/admin/keys/rotate', {}],
      ['POST', '/v1/admin/api-keys', { name: 'Mine', scopes: ['admin'] }],
      ['DELETE', '/v1/admin/api-keys/1', {}],
      ['POST', '/v1/admin/clients', { client_id: 'shop' }],
      ['PATCH', '/v1/admin/clients/token', { name: 'Token' }],
      ['DELETE', '/v1/admin/clients/shop', {}],
      ['POST', '/v1/admin/logout', { scope: 'sessions', sessions: [victim.mine.sid] }],
      ['POST', '/v1/admin/logout', { scope: 'user', user_id: victim.id }],
      ['POST', '/v1/admin/logout', { scope: 'users', user_ids: [victim.id] }],
      ['POST', '/v1/admin/logout', { scope: 'device', user_id: victim.id, device_id: 'x' }],
      ['POST', '/v1/admin/logout', { scope: 'client', client_id: 'default' }],
      ['POST', '/v1/admin/logout', { scope: 'everyone', confirm: count }],
    ];
    for (const [method, path, body] of changes) {
      const { status, json } = await call(method, path, { bearer, body });
      expect([method, path, status, json.code]).toEqual([method, path, 403, 'login_too_old']);
    }
    // Every row that changes something is in the list, except those for services only.
    const rows = ROWS.filter(
      ({ path, method, name }) =>
        path.startsWith('/v1/admin/') && method !== 'get' && name !== 'startSession',
    );
    const asked = new Set(changes.map(([method, path]) => rowOf(method, path)?.name));
    expect(rows.map(({ name }) => name).filter((name) => !asked.has(name))).toEqual([]);
    expect(await newest()).toBe(before);
    expect((await call('GET', '/v1/admin/users', { bearer })).status).toBe(200);
    const dry = { scope: 'user', user_id: victim.id, dry_run: true };
    expect((await call('POST', '/v1/admin/logout', { bearer, body: dry })).json.count).toBe(2);
  });

  test('is not asked for by the four contracts or with a service key', async () => {
    const { id, mine } = await two();
    place.clock.advance(SECONDS + 1);
    expect((await call('POST', '/auth/logout', { bearer: mine.bearer })).status).toBe(200);
    const more = await opened(call, id);
    place.clock.advance(SECONDS + 1);
    const body = { scope: 'user', user_id: id };
    expect((await call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body })).json.ended).toBe(1);
    expect(await alive(call, [more])).toEqual([false]);
  });
});
