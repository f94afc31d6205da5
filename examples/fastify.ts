/** The authority inside a Fastify application: `node --conditions=curfew-source examples/fastify.ts` */
import { createAuthority } from '@curfew/server';
import fastify from 'fastify';

const authority = await createAuthority({ settings: process.env, basePath: '/auth' });
const app = fastify();

// Before any body parser, because the authority reads its requests itself. It takes the client's address from the connection, and
// from X-Forwarded-For as CURFEW_TRUSTED_PROXIES says.
app.addHook('onRequest', (request, reply, next) => {
  if (!authority.handles(request.raw)) return next();
  reply.hijack();
  authority.listener(request.raw, reply.raw);
});
app.server.on('upgrade', authority.upgrade);

app.get('/hello', async (request, reply) => {
  const headers = new Headers();
  for (const name of ['authorization', 'cookie'])
    if (request.headers[name] !== undefined) headers.set(name, String(request.headers[name]));
  // Asked in this process, so the answer is never an old one.
  const check = await authority.fetch(new Request('http://curfew/auth/v1/check', { headers }));
  if (!check.ok) return reply.code(check.status).send();
  return { hello: check.headers.get('curfew-subject') };
});

const port = Number(process.env['PORT'] ?? 8000);
await app.listen({ port, host: '127.0.0.1' });
console.log(`listening on http://127.0.0.1:${port}`);
process.once('SIGTERM', () => {
  void app.close().then(authority.close);
  authority.hangUp();
});
