/** A back end that Curfew protects: `node --conditions=curfew-source examples/protected-hono.ts` */
import { createVerifier } from '@curfew/verifier';
import { curfew, type SessionVariables } from '@curfew/verifier/hono';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

const authority = process.env['AUTHORITY'] ?? 'http://localhost:8000';
const verifier = createVerifier({
  authority,
  serviceKey: process.env['SERVICE_KEY'] ?? '',
  audience: process.env['AUDIENCE'] ?? authority,
});
await verifier.ready();

const app = new Hono<{ Variables: SessionVariables }>();
app.get('/metrics', (c) => c.text(verifier.metrics()));
app.get('/hello', curfew(verifier), (c) => c.json({ hello: c.get('session').subject }));
// While the verifier cannot prove that it is fresh, this one refuses; the others ask the authority.
app.post('/payments', curfew(verifier, { onStale: 'refuse' }), (c) =>
  c.json({ paid_by: c.get('session').subject }, 201),
);

const port = Number(process.env['PORT'] ?? 3000);
const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () =>
  console.log(`listening on http://127.0.0.1:${port}`),
);
process.once('SIGTERM', () => server.close(() => void verifier.close()));
