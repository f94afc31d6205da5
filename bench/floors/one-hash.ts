import { createServer } from 'node:http';
import { hash, verify } from '@node-rs/argon2';
import type { Credential } from '../candidates/credential.ts';
import { offerCredentials, setting } from '../candidates/offer.ts';

/** The minimum for a login with a password: one argon2id verification, at the cost that OWASP recommends. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const password = 'password123';
const stored = await hash(password, cost);

const server = createServer((_request, response) => {
  verify(stored, password).then(
    (matches) => {
      response.statusCode = matches ? 200 : 401;
      response.end('{"matches":true}');
    },
    () => {
      response.statusCode = 500;
      response.end();
    },
  );
});

const login: Credential = {
  check: { method: 'GET', path: '/' },
  logout: { method: 'POST', path: '/' },
};

server.listen(Number(setting('PORT')), '127.0.0.1', () => {
  offerCredentials(async (count) => Array.from({ length: count }, () => login));
});
