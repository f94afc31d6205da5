/** Calls of the administration that handle secrets. */
import { expect } from 'vitest';
import { type Caller, SERVICE_KEY } from '../support.ts';

const service = { bearer: SERVICE_KEY };

/** API keys of both kinds in use: one that acts, is mistyped, sent in the wrong places, and revoked. @param userId a user to act on */
export async function callWithKeys(call: Caller, userId: number): Promise<void> {
  const keys: string[] = [];
  for (const of of [{ client_id: 'rs', scopes: ['verify', 'sessions:open'] }, { scopes: ['admin'] }]) {
    const { key, secret } = (
      await call('POST', '/v1/admin/api-keys', { ...service, body: { name: 'A key', ...of } })
    ).json;
    keys.push(secret);
    for (const bearer of [secret, `${secret}x`, secret.slice(0, -1), secret.toLowerCase()]) {
      await call('POST', '/v1/admin/sessions', { bearer, body: { user_id: userId } });
      await call('POST', '/v1/admin/sessions', { bearer, body: { user_id: bearer } });
      await call('POST', '/v1/admin/api-keys', { bearer, body: { name: 'x', scopes: [bearer] } });
      await call('DELETE', `/v1/admin/api-keys/${encodeURIComponent(bearer)}`, service);
      await call('GET', '/metrics', { bearer });
      await call('GET', `/${bearer}`);
      await call('GET', '/v1/check', { bearer });
      await call('GET', '/v1/session', { cookie: bearer });
      await call('POST', '/v1/login', { body: { email: bearer, password: bearer } });
    }
    await call('DELETE', `/v1/admin/api-keys/${key.id}`, service);
    await call('DELETE', `/v1/admin/api-keys/${key.id}`, {
      ...service,
      body: { confirm_last_admin_key: true },
    });
    await call('GET', '/v1/admin/state', { bearer: secret });
  }
  expect(keys.map((key) => key.slice(0, 10))).toEqual(['curfew_ck_', 'curfew_ok_']);
  await call('GET', '/v1/admin/api-keys?revoked=true', service);
}

/** Calls about applications and operation. @param secret sent where a name and a note are expected */
export async function callForOperators(call: Caller, secret: string): Promise<void> {
  for (const body of [
    { client_id: 'shop', name: 'Shop' },
    { client_id: secret, name: 'x' },
  ])
    await call('POST', '/v1/admin/clients', { ...service, body });
  for (const [method, body] of [
    ['GET'],
    ['PATCH', { name: 'New' }],
    ['PATCH', { name: 7, note: secret }],
    ['DELETE', {}],
  ] as const)
    await call(method, '/v1/admin/clients/shop', { ...service, ...(body && { body }) });
  for (const path of [
    '/healthz',
    '/readyz',
    '/metrics',
    '/.well-known/jwks.json',
    '/.well-known/oauth-authorization-server',
    '/openapi.json',
    '/docs',
  ])
    await call('GET', path, service);
}
