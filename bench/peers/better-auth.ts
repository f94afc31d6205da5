import { createServer } from 'node:http';
import { betterAuth } from 'better-auth';
import { makeSignature } from 'better-auth/crypto';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler, fromNodeHeaders } from 'better-auth/node';
import pg from 'pg';
import type { Credential } from '../candidates/credential.ts';
import { makeMany, offerCredentials, setting } from '../candidates/offer.ts';

/**
 * Checked in its fastest form, `auth.api.getSession` in the process of a bare `node:http` server; its own endpoint
 * takes twice as long. Sessions in PostgreSQL and no cookie cache: with the cache, a logged-out cookie stays valid.
 */
const port = Number(setting('PORT'));
const auth = betterAuth({
  baseURL: `http://127.0.0.1:${port}`,
  secret: 'a secret of the benchmark, at least 32 bytes',
  database: new pg.Pool({ connectionString: setting('DATABASE_URL'), max: 10, idleTimeoutMillis: 0 }),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
});
await (await getMigrations(auth.options)).runMigrations();
const { user } = await auth.api.signUpEmail({
  body: { email: 'test@example.com', password: 'password123', name: 'Test' },
});
const context = await auth.$context;

const handle = toNodeHandler(auth);
const server = createServer((request, response) => {
  if (request.url !== '/check') {
    void handle(request, response);
    return;
  }
  auth.api.getSession({ headers: fromNodeHeaders(request.headers) }).then(
    (session) => {
      response.statusCode = session === null ? 401 : 200;
      response.end(session === null ? '{"active":false}' : '{"active":true}');
    },
    () => {
      response.statusCode = 500;
      response.end();
    },
  );
});

async function makeSession(): Promise<Credential> {
  const { token } = await context.internalAdapter.createSession(user.id);
  const signed = encodeURIComponent(`${token}.${await makeSignature(token, context.secret)}`);
  const headers = { Cookie: `${context.authCookies.sessionToken.name}=${signed}` };
  return {
    check: { method: 'GET', path: '/check', headers },
    logout: {
      method: 'POST',
      path: '/api/auth/sign-out',
      headers: { ...headers, Origin: `http://127.0.0.1:${port}` },
    },
  };
}

server.listen(port, '127.0.0.1', () => {
  offerCredentials((count) => makeMany(count, makeSession));
});
