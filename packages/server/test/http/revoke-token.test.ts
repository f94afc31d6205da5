/** RFC 7009 and RFC 8414, over the wire. */
import { createVerifier } from '@curfew/verifier';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import {
  type Caller,
  callerOf,
  ISSUER,
  openAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { cookieLogin, newKey, newUser, opened, sessionTokenLogin, tokenLogin, v1Login } from './logins.ts';
import { type Door, openDoor } from './notices-door.ts';

let on: TestAuthority;
let door: Door;
let call: Caller;
beforeAll(async () => {
  on = await openAuthority(routeBackend(), {
    CURFEW_CLIENTS: '{"shop":{"audience":"https://shop.example"}}',
  });
  door = await openDoor(on.authority);
  call = described(callerOf((request) => fetch(request), door.url));
});
afterAll(async () => {
  on.authority.hangUp();
  door.close();
  await on.close();
});

type Form = Record<string, string>;
const revoke = (form: Form, bearer?: string) =>
  call('POST', '/oauth/revoke', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
    ...(bearer === undefined ? {} : { bearer }),
  });
const CONFIRMED = /^confirmed=\?1, ms=[\d.]+, acknowledged=\d+, waited-out=0$/;

/** The status of a check with a credential of any kind. */
async function checked(credential: string): Promise<number> {
  const how = credential.startsWith('cs_') ? { cookie: credential } : { bearer: credential };
  return (await call('GET', '/v1/check', how)).status;
}

async function keyOf(scopes: string[], client_id?: string): Promise<string> {
  return (await newKey(call, { name: 'revoker', scopes, client_id })).secret;
}

describe('a client without a key', () => {
  test('ends its session by a token of any kind, and every other credential of it', async () => {
    const user = await newUser(call);
    const v1 = await v1Login(call, user.email);
    const byRefresh = await v1Login(call, user.email);
    const opaque = await tokenLogin(call, user.email);
    const opaqueByRefresh = await tokenLogin(call, user.email);
    const session = await sessionTokenLogin(call, user.email);
    const { cookie } = await cookieLogin(call, user.email);
    for (const [token, client_id, credential] of [
      [v1.bearer, 'default', v1.bearer],
      [byRefresh.refresh, 'default', byRefresh.bearer],
      [opaque.bearer, 'token', opaque.bearer],
      [opaqueByRefresh.refresh, 'token', opaqueByRefresh.bearer],
      [session, 'session-id', session],
      [cookie, 'cookie', cookie],
    ] as const) {
      expect([client_id, await checked(credential)]).toEqual([client_id, 200]);
      const answer = await revoke({ token, client_id });
      expect([client_id, answer.status, answer.text]).toEqual([client_id, 200, '']);
      expect(answer.headers.get('curfew-propagation')).toMatch(CONFIRMED);
      expect([client_id, await checked(credential)]).toEqual([client_id, 401]);
    }
    const refreshed = await call('POST', '/v1/refresh', { body: { refresh_token: v1.refresh } });
    expect(refreshed.status).toBe(401);
    expect(refreshed.json).toMatchObject({ ended: { reason: 'logout', by: 'self' } });
  });

  test('ends its session by a refresh token that is spent: the answer with its successor may be lost', async () => {
    const one = await v1Login(call, (await newUser(call)).email);
    const next = await call('POST', '/v1/refresh', { body: { refresh_token: one.refresh } });
    expect((await revoke({ token: one.refresh, client_id: 'default' })).status).toBe(200);
    expect(await checked(next.json.access_token)).toBe(401);
  });

  test('cannot end a session of another client', async () => {
    const one = await opened(call, 2, { client_id: 'shop' });
    const answer = await revoke({ token: one.bearer, client_id: 'default' });
    expect([answer.status, answer.json]).toEqual([
      400,
      { error: 'invalid_grant', error_description: 'The token was issued to another client.' },
    ]);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect((await revoke({ token: one.bearer, client_id: 'shop' })).status).toBe(200);
  });

  test('gets 200 for a token that is over, unknown, forged or of no form; again and with any hint', async () => {
    const one = await opened(call, 2);
    const [head, payload] = one.bearer.split('.');
    for (const token_type_hint of ['access_token', 'refresh_token', 'a pigeon', ''])
      expect((await revoke({ token: one.bearer, client_id: 'default', token_type_hint })).status).toBe(200);
    for (const token of [
      one.refresh,
      `${head}.${payload}.AAAA`,
      'nothing of ours',
      'sess_x',
      'é',
      SERVICE_KEY,
    ])
      expect([token, (await revoke({ token, client_id: 'default' })).status]).toEqual([token, 200]);
  });

  test('must name itself and send one token, in a form', async () => {
    const { bearer: token } = await opened(call, 2);
    for (const form of [{ token }, { client_id: 'default' }, { token: '', client_id: 'default' }] as Form[])
      expect((await revoke(form)).json).toMatchObject({ error: 'invalid_request' });
    const json = await call('POST', '/oauth/revoke', { body: { token, client_id: 'default' } });
    expect([json.status, json.json]).toMatchObject([415, { error: 'invalid_request' }]);
    expect(await checked(token)).toBe(200);
  });
});

describe('a back end with a key', () => {
  test('ends sessions of its own client, or as an operator of any, and the log names the key', async () => {
    const [client, operator] = [await keyOf(['sessions:end'], 'shop'), await keyOf(['sessions:end'])];
    const user = await newUser(call);
    const own = await opened(call, user.id, { client_id: 'shop' });
    const other = await opened(call, user.id);
    const refused = await revoke({ token: other.bearer }, client);
    expect([refused.status, refused.json]).toMatchObject([400, { error: 'invalid_grant' }]);
    expect(await checked(other.bearer)).toBe(200);
    expect((await revoke({ token: own.bearer }, client)).status).toBe(200);
    expect((await revoke({ token: other.bearer }, operator)).status).toBe(200);
    for (const { bearer, refresh } of [own, other]) {
      expect(await checked(bearer)).toBe(401);
      const { json } = await call('POST', '/v1/refresh', { body: { refresh_token: refresh } });
      expect(json.ended).toMatchObject({ by: 'service' });
    }
    expect((await revoke({ token: own.bearer, client_id: 'default' }, client)).json).toMatchObject({
      error: 'invalid_client',
    });
    expect((await revoke({ token: own.bearer, client_id: 'shop' }, client)).status).toBe(200);
  });

  test('needs the scope, and a key that lives', async () => {
    const { bearer: token } = await opened(call, 2);
    const weak = await revoke({ token }, await keyOf(['verify']));
    expect([weak.status, weak.json]).toMatchObject([403, { error: 'insufficient_scope' }]);
    // A user's token is no key: in the header it does not speak for a client.
    for (const key of ['made-up', token]) {
      const answer = await revoke({ token, client_id: 'default' }, key);
      expect([answer.status, answer.json]).toMatchObject([401, { error: 'invalid_client' }]);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
    expect(await checked(token)).toBe(200);
  });
});

test('the answer waits for every verifier', async () => {
  const verifier = createVerifier({ authority: door.url, serviceKey: SERVICE_KEY, audience: ISSUER });
  onTestFinished(() => verifier.close());
  expect(await verifier.ready()).toBe(true);
  const { bearer } = await opened(call, 2);
  expect(await verifier.verify(bearer)).toMatchObject({ ok: true, by: 'memory' });
  const answer = await revoke({ token: bearer, client_id: 'default' });
  expect(answer.headers.get('curfew-propagation')).toContain('acknowledged=1, waited-out=0');
  expect(verifier.verifyNow(bearer)).toEqual({ ok: false, reason: 'ended' });
});

test.runIf(hasPostgres())('503 says that nothing was revoked, and nothing was', async () => {
  const broken = await openAuthority('postgres');
  onTestFinished(() => broken.close());
  const ask = described(broken.call);
  const { bearer: token } = await opened(ask, 2);
  const rename = (from: string, to: string): Promise<unknown> =>
    withClient(broken.settings['DATABASE_URL'] ?? '', (client) =>
      client.query(`alter table ${from} rename to ${to}`),
    );
  await rename('events', 'events_away');
  const form = {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `token=${token}&client_id=default`,
  };
  const failed = await ask('POST', '/oauth/revoke', form);
  expect([failed.status, failed.json, failed.headers.get('retry-after')]).toEqual([
    503,
    {
      error: 'temporarily_unavailable',
      error_description: 'Not revoked. The token may still be valid. Try again.',
    },
    '1',
  ]);
  await rename('events_away', 'events');
  expect((await ask('GET', '/v1/check', { bearer: token })).status).toBe(200);
  expect((await ask('POST', '/oauth/revoke', form)).status).toBe(200);
  expect((await ask('GET', '/v1/check', { bearer: token })).status).toBe(401);
});

describe('the metadata', () => {
  test('names the issuer and endpoints that exist', async () => {
    const { json, headers } = await call('GET', '/.well-known/oauth-authorization-server');
    expect(json).toMatchObject({ issuer: ISSUER, response_types_supported: [], grant_types_supported: [] });
    expect(headers.get('cache-control')).toBe('public, max-age=300');
    for (const [name, address] of Object.entries<string>(json))
      if (/_(?:endpoint|uri)$/.test(name)) {
        expect([name, address.startsWith(`${ISSUER}/`)]).toEqual([name, true]);
        const { status } = await on.call('GET', address.slice(ISSUER.length));
        expect([name, status]).toEqual([name, name.endsWith('_uri') ? 200 : 405]);
      }
  });

  test('of an issuer with a path is where RFC 8414 section 3.1 puts it, and below the path', async () => {
    const mounted = await openAuthority(routeBackend(), { CURFEW_BASE_PATH: '/auth' });
    onTestFinished(() => mounted.close());
    const inserted = '/.well-known/oauth-authorization-server/auth';
    for (const path of [inserted, '/auth/.well-known/oauth-authorization-server']) {
      expect(mounted.authority.handles(new Request(`https://app.example${path}`))).toBe(true);
      expect((await mounted.call('GET', path)).json).toMatchObject({
        issuer: `${ISSUER}/auth`,
        revocation_endpoint: `${ISSUER}/auth/oauth/revoke`,
      });
    }
    for (const path of ['/.well-known/oauth-authorization-server', `${inserted}/x`, `${inserted}entic`])
      expect([path, (await mounted.call('GET', path)).status]).toEqual([path, 404]);
  });
});
