import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  cookieOf,
  ISSUER,
  openAuthority,
  PASSWORD,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';

/* RFC 7662: a back end asks about a credential that it was given. */

describe('introspection', () => {
  let on: TestAuthority;
  beforeAll(async () => {
    on = await openAuthority(routeBackend());
  });
  afterAll(() => on.close());

  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const ask = (token: string, bearer = SERVICE_KEY) =>
    described(on.call)('POST', '/oauth/introspect', {
      bearer,
      headers: form,
      body: new URLSearchParams({ token }).toString(),
    });
  const user = { email: 'test@example.com', password: PASSWORD };

  test('accepts every kind of credential, and none after its logout', async () => {
    const v1 = await on.call('POST', '/v1/login', { body: user });
    const opaque = await on.call('POST', '/api/v1/auth/login', { body: user });
    const session = await on.call('POST', '/api/auth/login', {
      body: { username: user.email, password: PASSWORD },
    });
    const cookie = cookieOf(await on.call('POST', '/v1/login', { body: { ...user, transport: 'cookie' } }));
    const credentials = [
      v1.json.access_token,
      opaque.json.access_token,
      session.json.data.sessionToken,
      cookie,
    ];
    for (const credential of credentials) {
      const { status, json } = await ask(credential);
      expect([credential, status, json]).toEqual([
        credential,
        200,
        {
          active: true,
          sid: expect.any(String),
          sub: '2',
          client_id: expect.any(String),
          device_id: expect.any(String),
          born: expect.any(Number),
          tenant: 'default',
          epoch: expect.stringMatching(/^1\.[0-9a-f]{12}$/),
          iat: expect.any(Number),
          exp: expect.any(Number),
          iss: ISSUER,
          aud: ISSUER,
          token_type: 'Bearer',
          username: user.email,
          role: 'user',
        },
      ]);
      expect(json.exp).toBeGreaterThan(Date.now() / 1000);
    }
    await on.call('POST', '/v1/logout', { bearer: v1.json.access_token, body: { scope: 'all' } });
    for (const credential of [...credentials, 'nothing of ours', 'sess_x'])
      expect((await ask(credential)).json).toEqual({ active: false });
  });

  test('answers only back ends, and only a form', async () => {
    const { json } = await on.call('POST', '/v1/login', { body: user });
    const bearer = json.access_token;
    expect((await ask(bearer, bearer)).status).toBe(401);
    expect((await ask(bearer, 'svc_of_somebody_else_0123456789abcdefghij')).status).toBe(401);
    const asJson = await on.call('POST', '/oauth/introspect', {
      bearer: SERVICE_KEY,
      body: { token: bearer },
    });
    expect(asJson.status).toBe(415);
    const send = (body: string) =>
      on.call('POST', '/oauth/introspect', { bearer: SERVICE_KEY, headers: form, body });
    expect((await send('')).json).toMatchObject({ code: 'invalid_request', field: 'token' });
    expect((await send('token=a&token=b')).json).toMatchObject({ code: 'invalid_request', field: 'token' });
  });
});
