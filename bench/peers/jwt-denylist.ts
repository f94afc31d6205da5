import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import express, { type Request } from 'express';
import jsonwebtoken, { type JwtPayload } from 'jsonwebtoken';
import { createClient } from 'redis';
import type { Credential } from '../candidates/credential.ts';
import { makeMany, offerCredentials, setting } from '../candidates/offer.ts';

/** The secret as a KeyObject: given as a string, jsonwebtoken is forty-five times slower. */
const key = createSecretKey(randomBytes(32));
const redis = createClient({ url: setting('REDIS_URL') });
await redis.connect();

interface Claims extends JwtPayload {
  jti: string;
  exp: number;
}

/** The claims of a token that is signed, not expired and not on the list; undefined otherwise. */
async function liveToken(request: Request): Promise<Claims | undefined> {
  try {
    const token = (request.headers.authorization ?? '').slice('Bearer '.length);
    const claims = jsonwebtoken.verify(token, key, { algorithms: ['HS256'] }) as Claims;
    return (await redis.exists(`denied:${claims.jti}`)) === 1 ? undefined : claims;
  } catch {
    return undefined;
  }
}

const app = express();
app.get('/check', async (request, response) => {
  const claims = await liveToken(request);
  if (claims === undefined) response.status(401).json({ active: false });
  else response.json({ active: true, user: claims.sub });
});
app.post('/logout', async (request, response) => {
  const claims = await liveToken(request);
  if (claims === undefined) {
    response.status(401).json({ active: false });
    return;
  }
  const secondsLeft = Math.max(1, claims.exp - Math.floor(Date.now() / 1000));
  await redis.set(`denied:${claims.jti}`, '1', { expiration: { type: 'EX', value: secondsLeft } });
  response.json({ message: 'Logout successful' });
});

async function makeSession(): Promise<Credential> {
  const token = jsonwebtoken.sign({ sub: '2' }, key, { jwtid: randomUUID(), expiresIn: '15m' });
  const headers = { Authorization: `Bearer ${token}` };
  return {
    check: { method: 'GET', path: '/check', headers },
    logout: { method: 'POST', path: '/logout', headers },
  };
}

app.listen(Number(setting('PORT')), '127.0.0.1', () => {
  offerCredentials((count) => makeMany(count, makeSession));
});
