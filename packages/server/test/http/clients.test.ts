/** The administration of applications. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  type AnyJson,
  type Caller,
  openAuthority,
  PASSWORD,
  reopenAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { alive, opened, USER, v1Login } from './logins.ts';

const SHOP = {
  client_id: 'shop',
  name: 'The shop',
  audience: 'https://shop.example',
  algorithm: 'ES256',
  idle_seconds: 1800,
  absolute_seconds: 43_200,
  access_token_seconds: 120,
  opaque_access_seconds: 600,
  grant_types: ['password'],
  external_issuers: ['crm', 'https://idp.example'],
};
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
const headerOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());

describe('applications', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), { CURFEW_EVENTS_RETENTION_DAYS: '100' });
    call = described(on.call);
  });
  afterAll(() => on.close());

  const admin = (method: string, path: string, body?: object): Promise<Answer<AnyJson>> =>
    call(method, path, { bearer: SERVICE_KEY, ...(body && { body }) });
  let made = 0;
  async function newClient(more: object = {}): Promise<string> {
    const client_id = `client-${++made}`;
    const { status, text } = await admin('POST', '/v1/admin/clients', { client_id, ...more });
    if (status !== 201) throw new Error(text);
    return client_id;
  }
  const login = (client_id: string) =>
    call('POST', '/v1/login', { body: { email: USER, password: PASSWORD, client_id } });

  test('one that is created is shown, listed, and used at once', async () => {
    const created = await admin('POST', '/v1/admin/clients', SHOP);
    expect([created.status, created.json]).toMatchObject([201, { client: SHOP, ended: 0, confirmed: true }]);
    const view = { ...SHOP, built_in: false, disabled_at: null, created_at: expect.any(String) };
    expect((await admin('GET', '/v1/admin/clients/shop')).json).toEqual({ client: view });
    const { json } = await admin('GET', '/v1/admin/clients');
    expect(json.clients.find((one: { client_id: string }) => one.client_id === 'shop')).toMatchObject(view);
    const { bearer } = await v1Login(call, USER, { client_id: 'shop' });
    const { aud, iat, exp } = claimsOf(bearer);
    expect([aud, exp - iat, headerOf(bearer).alg]).toEqual([SHOP.audience, 120, 'ES256']);
    expect((await admin('POST', '/v1/admin/clients', SHOP)).json).toMatchObject({
      code: 'conflict',
      field: 'client_id',
    });
  });

  test('one of which nothing is said has the defaults', async () => {
    const client_id = await newClient();
    const { json } = await admin('GET', `/v1/admin/clients/${client_id}`);
    expect(json.client).toMatchObject({
      name: client_id,
      audience: null,
      algorithm: 'EdDSA',
      idle_seconds: null,
      access_token_seconds: null,
      grant_types: ['password', 'service'],
      external_issuers: ['default'],
    });
    const { aud, iat, exp } = claimsOf((await v1Login(call, USER, { client_id })).bearer);
    expect([aud, exp - iat]).toEqual(['http://localhost:8000', 300]);
  });

  test.each<[string, object, string, string]>([
    [
      'an idle lifetime above the absolute one',
      { idle_seconds: 7200, absolute_seconds: 3600 },
      'idle_seconds',
      'is longer than its absolute lifetime',
    ],
    [
      'an idle lifetime above the default absolute one',
      { idle_seconds: 31_000_000 },
      'idle_seconds',
      'is longer than its absolute lifetime',
    ],
    [
      'a longer life than the log is kept',
      { absolute_seconds: 101 * 86_400 },
      'absolute_seconds',
      'may live for 101 days, but CURFEW_EVENTS_RETENTION_DAYS is 100',
    ],
    ['an empty name', { name: '  ' }, 'name', 'must not be empty'],
    ['a name with half a surrogate pair', { name: 'a\ud800' }, '', ''],
    ['an unknown grant type', { grant_types: ['implicit'] }, 'grant_types', ''],
    ['an external issuer with a space', { external_issuers: ['default', 'a b'] }, 'external_issuers', ''],
    ['an empty external issuer', { external_issuers: [''] }, 'external_issuers', ''],
    ['external issuers that are no list', { external_issuers: 'crm' }, 'external_issuers', ''],
    [
      'too many external issuers',
      { external_issuers: Array.from({ length: 101 }, (_, n) => `i${n}`) },
      'external_issuers',
      '',
    ],
    ['an unknown member', { redirect_uris: [] }, 'redirect_uris', ''],
    ['a lifetime of nothing', { idle_seconds: 0 }, 'idle_seconds', ''],
    ['a life of an access token above a day', { access_token_seconds: 86_401 }, 'access_token_seconds', ''],
  ])('%s is refused with the field, by POST and PATCH', async (_name, terms, field, sentence) => {
    const client_id = await newClient();
    const before = (await admin('GET', `/v1/admin/clients/${client_id}`)).json;
    for (const answer of [
      await admin('POST', '/v1/admin/clients', { client_id: `bad-${made}`, ...terms }),
      await admin('PATCH', `/v1/admin/clients/${client_id}`, terms),
    ]) {
      expect([answer.status, answer.json.code]).toEqual([400, 'invalid_request']);
      if (field) expect(answer.json.field).toContain(field);
      expect(answer.json.detail).toContain(sentence);
    }
    expect((await admin('GET', `/v1/admin/clients/bad-${made}`)).status).toBe(404);
    expect((await admin('GET', `/v1/admin/clients/${client_id}`)).json).toEqual(before);
  });

  test('a change holds for what begins afterwards; null is the default again', async () => {
    const client_id = await newClient(SHOP_TERMS);
    const path = `/v1/admin/clients/${client_id}`;
    const { bearer } = await v1Login(call, USER, { client_id });
    const changed = await admin('PATCH', path, { name: 'Shop', access_token_seconds: 60, audience: null });
    expect([changed.status, changed.json.client]).toMatchObject([
      200,
      { name: 'Shop', access_token_seconds: 60, audience: null, idle_seconds: 1800 },
    ]);
    expect((await admin('PATCH', path, { access_token_seconds: null })).json.client).toMatchObject({
      access_token_seconds: null,
    });
    // The old token is for an audience that its application has no longer; the session lives.
    expect(await alive(call, [{ bearer }])).toEqual([false]);
    const later = await v1Login(call, USER, { client_id });
    expect(await alive(call, [later])).toEqual([true]);
    expect((await admin('PATCH', path, {})).status).toBe(400);
    expect((await admin('PATCH', '/v1/admin/clients/nobody', { name: 'x' })).status).toBe(404);
  });

  test('disabling ends its sessions, once their number is confirmed, and refuses new ones with the reason', async () => {
    const client_id = await newClient();
    const path = `/v1/admin/clients/${client_id}`;
    const sessions = [await v1Login(call, USER, { client_id }), await opened(call, 2, { client_id })];
    const others = [await v1Login(call, USER)];
    expect((await admin('PATCH', path, { disabled: true, dry_run: true })).json).toMatchObject({
      dry_run: true,
      count: 2,
    });
    expect((await admin('PATCH', path, { name: 'x', dry_run: true })).json.count).toBe(0);
    for (const confirm of [{}, { confirm: 5 }])
      expect((await admin('PATCH', path, { disabled: true, ...confirm })).json).toMatchObject({
        code: 'confirmation_required',
        count: 2,
      });
    expect(await alive(call, sessions)).toEqual([true, true]);
    const disabled = await admin('PATCH', path, { disabled: true, confirm: 2 });
    expect(disabled.json).toMatchObject({
      ended: 2,
      confirmed: true,
      client: { disabled_at: expect.any(String) },
    });
    expect(await alive(call, [...sessions, ...others])).toEqual([false, false, true]);
    const detail = `The application "${client_id}" is disabled.`;
    expect((await login(client_id)).json).toMatchObject({ code: 'unauthorized_client', detail });
    expect((await admin('POST', '/v1/admin/sessions', { user_id: 2, client_id })).json).toMatchObject({
      code: 'unauthorized_client',
      detail,
    });
    // Once more changes nothing, and needs no confirmation.
    expect((await admin('PATCH', path, { disabled: true })).json.client).toEqual(disabled.json.client);
    expect((await admin('PATCH', path, { disabled: false })).json.client.disabled_at).toBeNull();
    expect(await alive(call, sessions)).toEqual([false, false]);
    expect((await login(client_id)).status).toBe(200);
  });

  test('deleting ends its sessions and revokes its keys; the id is never used again, not even by the setting', async () => {
    const client_id = await newClient();
    const path = `/v1/admin/clients/${client_id}`;
    const key = await admin('POST', '/v1/admin/api-keys', {
      name: 'back end',
      client_id,
      scopes: ['verify'],
    });
    const session = await v1Login(call, USER, { client_id });
    expect((await admin('DELETE', path, { dry_run: true })).json).toMatchObject({ dry_run: true, count: 1 });
    expect((await admin('DELETE', path)).json).toMatchObject({ code: 'confirmation_required', count: 1 });
    expect((await admin('DELETE', path, { confirm: 1 })).json).toMatchObject({ ended: 1, confirmed: true });
    expect(await alive(call, [session])).toEqual([false]);
    const { json: keys } = await admin('GET', '/v1/admin/api-keys?revoked=true');
    expect(keys.keys.find(({ id }: { id: number }) => id === key.json.key.id).revoked_at).not.toBeNull();
    expect((await admin('GET', path)).status).toBe(404);
    expect((await admin('DELETE', path)).status).toBe(404);
    expect((await login(client_id)).status).toBe(400);
    expect((await admin('POST', '/v1/admin/clients', { client_id })).json.code).toBe('conflict');
    const CURFEW_CLIENTS = JSON.stringify({ [client_id]: {} });
    if (on.settings['DATABASE_URL']) {
      const other = await reopenAuthority({ ...on.settings, CURFEW_CLIENTS });
      expect((await other.call('GET', path, { bearer: SERVICE_KEY })).status).toBe(404);
      await other.close();
    }
  });

  test('built-in ones stay, with the audience of Curfew, and the pages can always log in', async () => {
    const refused = async (method: string, id: string, body: object) => {
      const { status, json } = await admin(method, `/v1/admin/clients/${id}`, body);
      return [status, json.field, json.detail];
    };
    expect(await refused('DELETE', 'token', {})).toEqual([
      400,
      'id',
      'id: "token" is built in and cannot be deleted',
    ]);
    expect(await refused('PATCH', 'token', { audience: 'https://x.example' })).toEqual([
      400,
      'audience',
      expect.stringContaining('cannot have an audience of its own'),
    ]);
    expect(await refused('PATCH', 'default', { disabled: true })).toEqual([
      400,
      'disabled',
      expect.any(String),
    ]);
    expect(await refused('PATCH', 'default', { grant_types: ['service'] })).toEqual([
      400,
      'grant_types',
      expect.any(String),
    ]);
  });

  test.each([
    ['envelope', '/auth/login', { email: USER }, { code: 'UNAUTHORIZED_CLIENT', success: false }],
    [
      'session-id',
      '/api/auth/login',
      { username: USER },
      { error: 'The application "session-id" is disabled.' },
    ],
    ['token', '/api/v1/auth/login', { email: USER }, { message: 'The application "token" is disabled.' }],
    [
      'cookie',
      '/auth/login',
      { email: USER, transport: 'cookie' },
      { code: 'UNAUTHORIZED_CLIENT', success: false },
    ],
  ])('the contract of %s says that its application is disabled', async (id, path, who, expected) => {
    expect((await admin('PATCH', `/v1/admin/clients/${id}`, { disabled: true })).status).toBe(200);
    const refused = await call('POST', path, { body: { ...who, password: PASSWORD } });
    expect([refused.status, refused.json]).toMatchObject([403, expected]);
    expect((await admin('PATCH', `/v1/admin/clients/${id}`, { disabled: false })).status).toBe(200);
    expect((await call('POST', path, { body: { ...who, password: PASSWORD } })).status).toBe(200);
  });

  test('an application without a grant type refuses that way, and names it', async () => {
    const back = await newClient({ grant_types: ['service'] });
    expect((await login(back)).json.detail).toBe(
      `The application "${back}" does not allow logins with a password.`,
    );
    await opened(call, 2, { client_id: back });
    const front = await newClient({ grant_types: ['password'] });
    expect((await admin('POST', '/v1/admin/sessions', { user_id: 2, client_id: front })).json.detail).toBe(
      `The application "${front}" does not allow sessions that a back end opens.`,
    );
    expect((await login(front)).status).toBe(200);
  });

  test('each change is in the log, with its actor and note', async () => {
    const client_id = await newClient({ note: 'for the fair' });
    await admin('PATCH', `/v1/admin/clients/${client_id}`, { name: 'x', disabled: true });
    await admin('DELETE', `/v1/admin/clients/${client_id}`);
    const { json } = await admin('GET', `/v1/admin/events?client_id=${client_id}&after=0`);
    expect(
      json.events
        .filter(({ type }: { type: string }) => type.startsWith('client_'))
        .map(({ type, actor, details }: { type: string; actor: string; details: unknown }) => [
          type,
          actor,
          details,
        ]),
    ).toEqual([
      ['client_created', 'service', { note: 'for the fair' }],
      ['client_updated', 'service', { fields: ['name', 'disabled'] }],
      ['client_deleted', 'service', {}],
    ]);
  });
});

const { client_id: _, ...SHOP_TERMS } = SHOP;
