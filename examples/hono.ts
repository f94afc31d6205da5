/** The authority inside a Hono application: `node --conditions=curfew-source examples/hono.ts` */
import { createAuthority } from '@curfew/server';
import { type HttpBindings, serve } from '@hono/node-server';
import { Hono } from 'hono';

const authority = await createAuthority({ settings: process.env });
const app = new Hono<{ Bindings: HttpBindings }>();

// The client's address is not in a Request, so it is passed beside it; without it, limits count by account alone.
const mine = ['/v1/*', '/auth/*', '/api/auth/*', '/api/users/*', '/api/v1/auth/*', '/.well-known/*'];
for (const path of [...mine, '/docs/*', '/openapi.json'])
  app.all(path, (c) => authority.fetch(c.req.raw, { address: c.env.incoming.socket.remoteAddress ?? '' }));

app.get('/hello', async (c) => {
  const headers = new Headers();
  for (const name of ['authorization', 'cookie']) {
    const value = c.req.header(name);
    if (value !== undefined) headers.set(name, value);
  }
  // Asked in this process, so the answer is never an old one.
  const check = await authority.fetch(new Request('http://curfew/v1/check', { headers }));
  if (!check.ok) return new Response(null, { status: check.status });
  return c.json({ hello: check.headers.get('curfew-subject') });
});

const port = Number(process.env['PORT'] ?? 8000);
const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () =>
  console.log(`listening on http://127.0.0.1:${port}`),
);
process.once('SIGTERM', () => server.close(() => void authority.close()));
