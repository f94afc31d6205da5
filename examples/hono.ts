/** The authority inside a Hono application: `node --conditions=curfew-source examples/hono.ts` */
import { createAuthority } from '@curfew/server';
import { type HttpBindings, serve } from '@hono/node-server';
import { Hono } from 'hono';

const authority = await createAuthority({ settings: process.env, basePath: '/auth' });
const app = new Hono<{ Bindings: HttpBindings }>();

// The client's address is not in a Request, so the connection is passed beside it; without it, limits count by account alone.
app.all('/auth/*', (c) => authority.fetch(c.req.raw, { incoming: c.env.incoming }));

app.get('/hello', async (c) => {
  const headers = new Headers();
  for (const name of ['authorization', 'cookie']) {
    const value = c.req.header(name);
    if (value !== undefined) headers.set(name, value);
  }
  // Asked in this process, so the answer is never an old one.
  const check = await authority.fetch(new Request('http://curfew/auth/v1/check', { headers }));
  if (!check.ok) return new Response(null, { status: check.status });
  return c.json({ hello: check.headers.get('curfew-subject') });
});

const port = Number(process.env['PORT'] ?? 8000);
const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () =>
  console.log(`listening on http://127.0.0.1:${port}`),
);
server.on('upgrade', authority.upgrade);
process.once('SIGTERM', () => {
  server.close(() => void authority.close());
  authority.hangUp();
});
