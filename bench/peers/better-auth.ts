import { createServer } from 'node:http';
import { betterAuth } from 'better-auth';
import { makeSignature } from 'better-auth/crypto';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler, fromNodeHeaders } from 'better-auth/node';
import pg from 'pg';
import type { Credential } from '../candidates/credential.ts';
import { makeMany, offerCredentials, setting } from '../candidates/offer.ts';

/**
 * Checked in its fastest form, `auth.api.getSession` in the process of a bare `node:http` server; its own endpoint takes twice as long.
 * Sessions in PostgreSQL and no cookie cache: with the cache, a logged-out cookie stays valid. `CACHE_SECONDS` turns the cache on, to show
 * its gain and its price.
 */
const cacheSeconds = Number(process.env['CACHE_SECONDS'] ?? 0);
const port = Number(setting('PORT'));
const auth = betterAuth({
  baseURL: `http://127.0.0.1:${port}`,
  secret: 'a secret of the benchmark, at least 32 bytes',
  database: new pg.Pool({ connectionString: setting('DATABASE_URL'), max: 10, idleTimeoutMillis: 0 }),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  ...(cacheSeconds > 0 ? { session: { cookieCache: { enabled: true, maxAge: cacheSeconds } } } : {}),
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
  const cookie = `${context.authCookies.sessionToken.name}=${signed}`;
  const headers = { Cookie: cacheSeconds > 0 ? `${cookie}; ${await cachedSession(cookie)}` : cookie };
  return {
    check: { method: 'GET', path: '/check', headers },
    logout: {
      method: 'POST',
      path: '/api/auth/sign-out',
      headers: { ...headers, Origin: `http://127.0.0.1:${port}` },
    },
  };
}

/** The cookie that contains the session itself, as the first request after a login sets it. */
async function cachedSession(cookie: string): Promise<string> {
  const url = `http://127.0.0.1:${port}/api/auth/get-session`;
  const response = await auth.handler(new Request(url, { headers: { cookie } }));
  const { name } = context.authCookies.sessionData;
  const set = response.headers.getSetCookie().find((line) => line.startsWith(`${name}=`));
  if (set === undefined) throw new Error('Better Auth set no cookie cache');
  return set.slice(0, set.indexOf(';'));
}

server.listen(port, '127.0.0.1', () => {
  offerCredentials((count) => makeMany(count, makeSession));
});
