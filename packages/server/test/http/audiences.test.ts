/** A credential for one audience does nothing where another is required, whatever its kind. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Caller,
  type CallOptions,
  ISSUER,
  openAuthority,
  reopenAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described, ROWS } from './described.ts';
import { alive, opened } from './logins.ts';
import { audienceOf, isForCurfew } from '../../src/domain/audience.ts';
import { schemesOf } from '../../src/domain/caller-rule.ts';

const SHOP = 'https://shop.example';
const CLIENTS = JSON.stringify({ shop: { audience: SHOP }, plain: {} });
const ADMIN_ROWS = ROWS.filter(
  ({ path, caller }) => path.startsWith('/v1/admin/') && schemesOf(caller).includes('bearer'),
);
/** Other rows for Curfew's own audience, listed one by one, since a user may call them. */
const OWN_ROWS = ROWS.filter(({ path }) => path === '/v1/password' || path === '/v1/session/confirm');

describe('audiences', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), { CURFEW_CLIENTS: CLIENTS });
    call = described(on.call);
  });
  afterAll(() => on.close());

  /** A session of the administrator (user 1) with an application, by each kind of credential. */
  async function credentials(clientId: string): Promise<[string, CallOptions][]> {
    const open = async (transport: string) =>
      (
        await call('POST', '/v1/admin/sessions', {
          bearer: SERVICE_KEY,
          body: { user_id: 1, client_id: clientId, transport },
        })
      ).json;
    const cookie = await open('cookie');
    return [
      ['access token', { bearer: (await open('bearer')).access_token }],
      ['session token', { bearer: (await open('opaque')).session_token }],
      ['cookie', { cookie: cookie.cookie.value, csrf: cookie.csrf_token }],
    ];
  }
  const newestPosition = async (): Promise<number> =>
    (await call('GET', '/v1/admin/events?limit=1&refused=false', { bearer: SERVICE_KEY })).json.events[0]
      .position;

  test("no administrator's row accepts a credential of another audience, nor do password change and confirmation", async () => {
    const ways = await credentials('shop');
    const before = await newestPosition();
    const taken: string[] = [];
    for (const [kind, credential] of ways)
      for (const row of [...ADMIN_ROWS, ...OWN_ROWS]) {
        const method = row.method.toUpperCase();
        const example = row.request?.body?.content['application/json']?.example;
        const answer = await call(method, row.path.replace('{id}', '2'), {
          ...credential,
          ...(example === undefined ? {} : { body: example }),
        });
        if (answer.status !== 403 || answer.json.code !== 'wrong_audience')
          taken.push(`${kind} ${method} ${row.path}: ${answer.status} ${answer.text.slice(0, 80)}`);
      }
    expect(taken).toEqual([]);
    expect(await newestPosition()).toBe(before);
    expect(ADMIN_ROWS.length).toBeGreaterThan(10);
    expect(OWN_ROWS.length).toBe(2);
  });

  test('the live log refuses another audience too, and contract 002 shows its sessions no other user', async () => {
    for (const [, credential] of await credentials('shop')) {
      const stream = await call('GET', '/v1/admin/events', {
        ...credential,
        headers: { accept: 'text/event-stream' },
      });
      expect(stream.status).toBe(403);
      if (credential.bearer !== undefined) {
        expect((await call('GET', '/api/users/2', credential)).status).toBe(403);
        expect((await call('GET', '/api/users/1', credential)).status).toBe(200);
      }
    }
  });

  test("an application without its own audience is for Curfew, and so are the contracts' tokens", async () => {
    for (const clientId of ['plain', 'envelope', 'session-id', 'cookie'])
      for (const [kind, credential] of await credentials(clientId))
        expect([clientId, kind, (await call('GET', '/v1/admin/users', credential)).status]).toEqual([
          clientId,
          kind,
          200,
        ]);
  });

  test("a credential of any audience can read and end its own user's sessions", async () => {
    for (const [, credential] of await credentials('shop')) {
      const other = await opened(call, 1);
      expect((await call('GET', '/v1/session', credential)).status).toBe(200);
      expect((await call('GET', '/v1/sessions', credential)).status).toBe(200);
      expect((await call('GET', '/auth/profile', credential)).status).toBe(200);
      expect((await call('DELETE', `/v1/sessions/${other.sid}`, credential)).status).toBe(200);
      expect(await alive(call, [other])).toEqual([false]);
      expect((await call('POST', '/v1/logout', { ...credential, body: {} })).status).toBe(200);
      expect((await call('GET', '/v1/session', credential)).status).toBe(401);
    }
  });

  const introspect = async (token: string, more = ''): Promise<unknown> =>
    (
      await call('POST', '/oauth/introspect', {
        bearer: SERVICE_KEY,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: `token=${encodeURIComponent(token)}${more}`,
      })
    ).json.active;

  test('/v1/check and introspection judge by the requested audience', async () => {
    for (const [kind, credential] of await credentials('shop')) {
      const token = credential.bearer ?? credential.cookie ?? '';
      const check = async (query: string) => (await call('GET', `/v1/check${query}`, credential)).status;
      // Once from the database, once from memory.
      for (const _ of [1, 2]) {
        const of = async (audience: string) => [
          await check(`?audience=${encodeURIComponent(audience)}`),
          await introspect(token, `&audience=${encodeURIComponent(audience)}`),
        ];
        expect([kind, await of(ISSUER)]).toEqual([kind, [401, false]]);
        expect([kind, await of(`${SHOP}/`)]).toEqual([kind, [401, false]]);
        expect([kind, await of(SHOP)]).toEqual([kind, [200, true]]);
        expect([kind, await check(''), await introspect(token)]).toEqual([kind, 200, true]);
      }
      expect(await check(`?audience=`)).toBe(400);
      expect(await check(`?audience=${SHOP}&audience=${ISSUER}`)).toBe(400);
    }
  });

  test('a session of an application that the database does not know is for nobody', async () => {
    const session = { clientId: 'shop' };
    const known = { audience: ISSUER, clients: new Map([['shop', { audience: SHOP }]]) };
    expect([audienceOf(known, session), isForCurfew(known, session)]).toEqual([SHOP, false]);
    const without = { audience: ISSUER, clients: new Map<string, { audience: string }>() };
    expect([audienceOf(without, session), isForCurfew(without, session)]).toEqual([null, false]);
  });

  test('a session keeps its audience when its application is removed from the settings', async () => {
    const [, [, opaque] = ['', {}], [, cookie] = ['', {}]] = await credentials('shop');
    const { CURFEW_CLIENTS: _, ...without } = on.settings;
    await on.close();
    const later = await reopenAuthority(without);
    try {
      for (const credential of [opaque, cookie]) {
        expect((await later.call('GET', '/v1/admin/users', credential)).status).toBe(403);
        for (const [audience, status] of [
          [ISSUER, 401],
          [SHOP, 200],
        ])
          expect((await later.call('GET', `/v1/check?audience=${audience}`, credential)).status).toBe(status);
      }
    } finally {
      await later.close();
      on = await reopenAuthority(on.settings);
      call = described(on.call);
    }
  });
});
