/**
 * A session that an application's API key opened is a user's session like any other, except that of the user's sessions it lists,
 * names and ends those with its own application alone: otherwise the key would reach the others' through it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallerRule } from '../../src/domain/caller-rule.ts';
import { type AnyJson, type Caller, openAuthority, routeBackend } from '../support.ts';
import type { TestAuthority } from '../support.ts';
import { described, ROWS } from './described.ts';
import { alive, newKey, newUser, type OpenSession, opened } from './logins.ts';

const DEVICE = { id: 'phone' };

/** By row: requests that reach for the user's other sessions. */
const ATTACKS: Record<string, (other: OpenSession) => [path: string, body?: object][]> = {
  logOut: ({ sid }) => [
    ['/v1/logout', { scope: 'others' }],
    ['/v1/logout', { scope: 'device' }],
    ['/v1/logout', { scope: 'device', device: DEVICE.id }],
    ['/v1/logout', { scope: 'selected', sessions: [sid, sid.toUpperCase()] }],
    ['/v1/logout', { scope: 'all' }],
  ],
  endSession: ({ sid }) => [[`/v1/sessions/${sid}`, {}]],
  renameSession: ({ sid }) => [[`/v1/sessions/${sid}`, { name: 'Mallory' }]],
  envelopeLogOut: () => [['/auth/logout']],
  tokenLogOut: () => [['/api/v1/auth/logout']],
  cookieLogOut: () => [['/auth/logout?scope=others'], ['/auth/logout?scope=all']],
};
/** Rows that change nothing of other sessions, or ask for the user's password. */
const HARMLESS = [
  'listSessions', // tested below
  'getSession',
  'confirmLogin',
  'changePassword',
  'followNotices',
  'getProfile',
  'getWorkspace',
  'sessionIdGetUser',
  'tokenGetStatus',
  'cookieGetProfile',
];

const isOfSessions = (rule: CallerRule): boolean =>
  rule.who === 'dependent' ? rule.rules.some(isOfSessions) : rule.who === 'session';
const OPEN = ROWS.filter(({ caller }) => isOfSessions(caller));

describe('a session that an application’s key opened', () => {
  let on: TestAuthority;
  let call: Caller;
  let key: string;
  beforeAll(async () => {
    // Each client has Curfew's own audience, so that the audience keeps nobody out.
    on = await openAuthority(routeBackend(), { CURFEW_CLIENTS: '{"shop":{}}' });
    call = described(on.call);
    key = (await newKey(call, { scopes: ['sessions:open'], client_id: 'shop' })).secret;
  });
  afterAll(() => on.close());

  // The key reaches the users of its client's issuers.
  const userOfShop = (more: object = {}) => newUser(call, { external_id: crypto.randomUUID(), ...more });
  const openedByKey = async (userId: number, more: object = {}): Promise<AnyJson> =>
    (
      await call('POST', '/v1/admin/sessions', {
        bearer: key,
        body: { user_id: userId, device: DEVICE, ...more },
      })
    ).json;
  const credentialOf = (json: AnyJson) =>
    json.cookie
      ? { cookie: json.cookie.value, csrf: json.csrf_token }
      : { bearer: json.access_token ?? json.session_token };

  test('every row for sessions has its attacks, or reaches no other session', () => {
    expect(OPEN.map(({ name }) => name).toSorted()).toEqual(
      [...new Set([...Object.keys(ATTACKS), ...HARMLESS])]
        .filter((name) => OPEN.some((row) => row.name === name))
        .toSorted(),
    );
  });

  test.each(['bearer', 'opaque', 'cookie'])(
    'ends and names no other application’s, %s',
    async (transport) => {
      const user = await userOfShop();
      const other = await opened(call, user.id, { device: DEVICE });
      for (const { name, method } of OPEN)
        for (const [path, body] of ATTACKS[name]?.(other) ?? []) {
          const json = await openedByKey(user.id, { transport });
          const answer = await call(method.toUpperCase(), path, {
            ...credentialOf(json),
            ...(body && { body }),
          });
          expect([name, path, answer.status < 500]).toEqual([name, path, true]);
          expect([name, body, await alive(call, [other])]).toEqual([name, body, [true]]);
        }
      // Its own name is its own, also on a device that both are on.
      const json = await openedByKey(user.id, { transport });
      const named = await call('PATCH', `/v1/sessions/${json.session.id}`, {
        ...credentialOf(json),
        body: { name: 'Mallory' },
      });
      expect(named.status).toBe(200);
      const view = (await call('GET', '/v1/sessions', { bearer: other.bearer })).json;
      expect(view.sessions.find(({ current }: AnyJson) => current).device.name).toBe('');
    },
  );

  test.each([
    { scope: 'others', itself: false },
    { scope: 'device', itself: true },
    { scope: 'selected', itself: false },
    { scope: 'all', itself: true },
  ])('ends those of its own application, as previewed: $scope', async ({ scope, itself }) => {
    const user = await userOfShop();
    const other = await opened(call, user.id, { device: DEVICE });
    const [mine, second] = [await openedByKey(user.id), await openedByKey(user.id)];
    const bearer = mine.access_token as string;
    const body = { scope, ...(scope === 'selected' && { sessions: [second.session.id, other.sid] }) };
    const dry = await call('POST', '/v1/logout', { bearer, body: { ...body, dry_run: true } });
    expect(dry.json.count).toBe(itself ? 2 : 1);
    const done = await call('POST', '/v1/logout', { bearer, body });
    expect(done.json).toMatchObject({ confirmed: true, ended: dry.json.count });
    const later = await openedByKey(user.id);
    expect(
      await alive(call, [mine, second, later].map((one) => ({ bearer: one.access_token })).concat(other)),
    ).toEqual([!itself, false, true, true]);
  });

  test('lists and counts those of its own application alone, page by page', async () => {
    const user = await userOfShop();
    for (let i = 0; i < 3; i++) await opened(call, user.id);
    const mine = [await openedByKey(user.id), await openedByKey(user.id), await openedByKey(user.id)];
    const bearer = mine[0]?.access_token as string;
    const all = (await call('GET', '/v1/sessions', { bearer })).json;
    expect([all.total, all.sessions.map((one: AnyJson) => one.id)]).toEqual([
      3,
      mine.map((one) => one.session.id).toReversed(),
    ]);
    const first = (await call('GET', '/v1/sessions?limit=1', { bearer })).json;
    expect(first.total).toBe(3);
    const second = (await call('GET', `/v1/sessions?limit=1&before=${first.next}`, { bearer })).json;
    expect(second.sessions.map((one: AnyJson) => one.id)).toEqual([mine[1]?.session.id]);
  });

  test('stays so when it is refreshed or renewed', async () => {
    const user = await userOfShop({ password: 'a password long enough' });
    const other = await opened(call, user.id);
    const mine = await openedByKey(user.id);
    const refreshed = await call('POST', '/v1/refresh', { body: { refresh_token: mine.refresh_token } });
    const confirmed = await call('POST', '/v1/session/confirm', {
      bearer: refreshed.json.access_token,
      body: { password: 'a password long enough' },
    });
    expect(confirmed.status).toBe(200);
    const bearer = confirmed.json.access_token as string;
    await call('POST', '/v1/logout', { bearer, body: { scope: 'all' } });
    expect(await alive(call, [{ bearer }, other])).toEqual([false, true]);
  });

  test('one that an operator’s key opens reaches all of the user’s', async () => {
    const user = await userOfShop();
    const [one, other] = [await opened(call, user.id, { client_id: 'shop' }), await opened(call, user.id)];
    await call('POST', '/v1/logout', { bearer: one.bearer, body: { scope: 'all' } });
    expect(await alive(call, [one, other])).toEqual([false, false]);
  });
});
