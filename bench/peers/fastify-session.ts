import { randomBytes } from 'node:crypto';
import cookie, { Signer } from '@fastify/cookie';
import session from '@fastify/session';
import { RedisStore } from 'connect-redis';
import fastify from 'fastify';
import { createClient } from 'redis';
import type { Credential } from '../candidates/credential.ts';
import { makeMany, offerCredentials, setting } from '../candidates/offer.ts';

/** With `ROLLING=0` it writes nothing back after a check. That is its fastest setting, but not its default. */
declare module 'fastify' {
  interface Session {
    userId: number;
  }
}

const SECRET = 'a secret of the benchmark, at least 32 bytes';
const LIFE = 86_400_000;
const client = createClient({ url: setting('REDIS_URL') });
await client.connect();
const store = new RedisStore({ client });
const signer = new Signer(SECRET);

const app = fastify();
await app.register(cookie);
await app.register(session, {
  secret: SECRET,
  store,
  saveUninitialized: false,
  rolling: process.env['ROLLING'] !== '0',
  cookie: { secure: false, maxAge: LIFE },
});
app.get('/check', async (request, reply) => {
  const user = request.session.get('userId');
  if (user === undefined) return reply.code(401).send({ active: false });
  return { active: true, user };
});
app.post('/logout', async (request) => {
  await request.session.destroy();
  return { message: 'Logout successful' };
});

async function makeSession(): Promise<Credential> {
  const id = randomBytes(24).toString('base64url');
  const expires = new Date(Date.now() + LIFE);
  const stored = { cookie: { originalMaxAge: LIFE, expires, path: '/', httpOnly: true, secure: false } };
  await store.set(id, { ...stored, userId: 2 } as never);
  const headers = { Cookie: `sessionId=${encodeURIComponent(signer.sign(id))}` };
  return {
    check: { method: 'GET', path: '/check', headers },
    logout: { method: 'POST', path: '/logout', headers },
  };
}

await app.listen({ port: Number(setting('PORT')), host: '127.0.0.1' });
offerCredentials((count) => makeMany(count, makeSession));
