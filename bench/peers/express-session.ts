import { createHmac, randomBytes } from 'node:crypto';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';
import type { Credential } from '../candidates/credential.ts';
import { makeMany, offerCredentials, setting } from '../candidates/offer.ts';

/** As its README shows it: `resave` and `saveUninitialized` off, everything else at its default. */
declare module 'express-session' {
  interface SessionData {
    userId: number;
  }
}

const SECRET = 'a secret of the benchmark, at least 32 bytes';
const LIFE = 86_400_000;
const client = createClient({ url: setting('REDIS_URL') });
await client.connect();
const store = new RedisStore({ client });

const app = express();
app.use(
  session({ store, secret: SECRET, resave: false, saveUninitialized: false, cookie: { maxAge: LIFE } }),
);
app.get('/check', (request, response) => {
  if (request.session.userId === undefined) response.status(401).json({ active: false });
  else response.json({ active: true, user: request.session.userId });
});
app.post('/logout', (request, response, next) => {
  request.session.destroy((error: unknown) => {
    if (error) next(error);
    else response.json({ message: 'Logout successful' });
  });
});

/** The cookie's value as express-session signs it. */
function signed(id: string): string {
  const signature = createHmac('sha256', SECRET).update(id).digest('base64').replace(/=+$/, '');
  return encodeURIComponent(`s:${id}.${signature}`);
}

async function makeSession(): Promise<Credential> {
  const id = randomBytes(24).toString('base64url');
  const expires = new Date(Date.now() + LIFE);
  const stored = { cookie: { originalMaxAge: LIFE, expires, httpOnly: true, path: '/' }, userId: 2 };
  await store.set(id, stored as never);
  const headers = { Cookie: `connect.sid=${signed(id)}` };
  return {
    check: { method: 'GET', path: '/check', headers },
    logout: { method: 'POST', path: '/logout', headers },
  };
}

app.listen(Number(setting('PORT')), '127.0.0.1', () => {
  offerCredentials((count) => makeMany(count, makeSession));
});
