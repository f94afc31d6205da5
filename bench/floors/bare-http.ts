import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { Credential } from '../candidates/credential.ts';
import { offerCredentials, setting } from '../candidates/offer.ts';

/** The cost of `node:http` without any decision: no HTTP server in Node can be faster. */
const server = createServer((_request, response) => {
  response.end('{"active":true}');
});

/** As long as a signed token of a real session, because parsing headers is part of the measurement. */
function credential(): Credential {
  const headers = { Authorization: `Bearer ${randomBytes(248).toString('base64url')}` };
  return {
    check: { method: 'GET', path: '/v1/check', headers },
    logout: {
      method: 'POST',
      path: '/v1/logout',
      headers: { ...headers, 'Content-Type': 'application/json' },
      body: '{"scope":"this"}',
    },
  };
}

server.listen(Number(setting('PORT')), '127.0.0.1', () => {
  offerCredentials(async (count) => Array.from({ length: count }, credential));
});
