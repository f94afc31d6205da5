/** The authority inside a Fastify application: `node --conditions=curfew-source examples/fastify.ts` */
import { createAuthority } from '@curfew/server';
import fastify from 'fastify';

const authority = await createAuthority({ settings: process.env });
const app = fastify();

// A separate scope without body parsers, because the authority reads its requests itself. It takes the client's address from the
// connection, and from X-Forwarded-For as CURFEW_TRUSTED_PROXIES says.
await app.register(async (scope) => {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
  const mine = ['/v1/*', '/auth/*', '/api/auth/*', '/api/users/*', '/api/v1/auth/*', '/.well-known/*'];
  for (const url of [...mine, '/docs', '/docs/*', '/openapi.json'])
    scope.all(url, (request, reply) => {
      reply.hijack();
      authority.listener(request.raw, reply.raw);
    });
});

app.get('/hello', async (request, reply) => {
  const headers = new Headers();
  for (const name of ['authorization', 'cookie'])
    if (request.headers[name] !== undefined) headers.set(name, String(request.headers[name]));
  // Asked in this process, so the answer is never an old one.
  const check = await authority.fetch(new Request('http://curfew/v1/check', { headers }));
  if (!check.ok) return reply.code(check.status).send();
  return { hello: check.headers.get('curfew-subject') };
});

const port = Number(process.env['PORT'] ?? 8000);
await app.listen({ port, host: '127.0.0.1' });
console.log(`listening on http://127.0.0.1:${port}`);
process.once('SIGTERM', () => void app.close().then(authority.close));
