/** The authority as a plain fetch handler: `node --conditions=curfew-source examples/fetch.ts` */
import { createServer } from 'node:http';
import { createAuthority } from '@curfew/server';
import { getRequestListener } from '@hono/node-server';

const authority = await createAuthority({ settings: process.env, basePath: '/auth' });

/** The fetch handler for a host. It passes the client's address, which a Request does not have. */
async function handle(request: Request, address: string): Promise<Response> {
  if (authority.handles(request)) return authority.fetch(request, { address });
  if (new URL(request.url).pathname !== '/hello') return new Response(null, { status: 404 });

  const headers = new Headers();
  for (const name of ['authorization', 'cookie']) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const check = await authority.fetch(new Request('http://curfew/auth/v1/check', { headers }));
  if (!check.ok) return new Response(null, { status: check.status });
  return Response.json({ hello: check.headers.get('curfew-subject') });
}

const listener = getRequestListener((request, { incoming }) =>
  handle(request, incoming.socket.remoteAddress ?? ''),
);
const port = Number(process.env['PORT'] ?? 8000);
const server = createServer((req, res) => void listener(req, res));
// A Request has no socket either: WebSockets come from the server itself.
server.on('upgrade', authority.upgrade);
server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`));
process.once('SIGTERM', () => {
  server.close(() => void authority.close());
  authority.hangUp();
});
