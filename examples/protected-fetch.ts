/** A back end that Curfew protects: `node --conditions=curfew-source examples/protected-fetch.ts` */
import { createServer } from 'node:http';
import { createVerifier } from '@curfew/verifier';
import { curfew } from '@curfew/verifier/fetch';
import { getRequestListener } from '@hono/node-server';

const authority = process.env['AUTHORITY'] ?? 'http://localhost:8000';
const verifier = createVerifier({
  authority,
  serviceKey: process.env['SERVICE_KEY'] ?? '',
  audience: process.env['AUDIENCE'] ?? authority,
});
await verifier.ready();

const hello = curfew(verifier)((_request, session) => Response.json({ hello: session.subject }));
// While the verifier cannot prove that it is fresh, this one refuses; the others ask the authority.
const pay = curfew(verifier, { onStale: 'refuse' })((_request, session) =>
  Response.json({ paid_by: session.subject }, { status: 201 }),
);

/** The fetch handler for a host. */
function handle(request: Request): Response | Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === '/hello') return hello(request);
  if (pathname === '/payments' && request.method === 'POST') return pay(request);
  return pathname === '/metrics' ? new Response(verifier.metrics()) : new Response(null, { status: 404 });
}

const listener = getRequestListener(handle);
const port = Number(process.env['PORT'] ?? 3000);
const server = createServer((req, res) => void listener(req, res));
server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`));
process.once('SIGTERM', () => server.close(() => void verifier.close()));
