import { Provider } from 'oidc-provider';
import type { Credential } from '../candidates/credential.ts';
import { makeMany, offerCredentials, setting } from '../candidates/offer.ts';
import { redisAdapter } from './oidc-redis-adapter.ts';

/** Opaque access tokens. Introspection (RFC 7662) checks them, and revocation (RFC 7009) ends them. */
const port = Number(setting('PORT'));

const CLIENT = { id: 'bench', secret: 'a-secret-of-the-benchmark-at-least-32-bytes' };
const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: await redisAdapter(setting('REDIS_URL')),
  clients: [
    {
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      grant_types: ['authorization_code'],
      redirect_uris: ['https://application.example/callback'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  features: {
    introspection: { enabled: true },
    revocation: { enabled: true },
    devInteractions: { enabled: false },
  },
  cookies: { keys: ['a key of the benchmark'] },
  ttl: { AccessToken: 3600, Grant: 86_400 },
});
const client = await provider.Client.find(CLIENT.id);
if (client === undefined) throw new Error('the client is not known');

const headers = {
  Authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}`,
  'Content-Type': 'application/x-www-form-urlencoded',
};

async function makeSession(): Promise<Credential> {
  const grant = new provider.Grant({ accountId: '2', clientId: CLIENT.id });
  grant.addOIDCScope('openid');
  const grantId = await grant.save();
  const token = new provider.AccessToken({
    accountId: '2',
    client,
    grantId,
    scope: 'openid',
    gty: 'authorization_code',
  } as never);
  const body = `token=${await token.save()}`;
  return {
    check: { method: 'POST', path: '/token/introspection', headers, body },
    logout: { method: 'POST', path: '/token/revocation', headers, body },
  };
}

provider.listen(port, '127.0.0.1', () => {
  offerCredentials((count) => makeMany(count, makeSession));
});
