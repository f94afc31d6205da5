/** A back end that Curfew protects: `node --conditions=curfew-source examples/protected-fastify.ts` */
import { createVerifier } from '@curfew/verifier';
import { curfew, sessionOf } from '@curfew/verifier/fastify';
import fastify from 'fastify';

const authority = process.env['AUTHORITY'] ?? 'http://localhost:8000';
const verifier = createVerifier({
  authority,
  serviceKey: process.env['SERVICE_KEY'] ?? '',
  audience: process.env['AUDIENCE'] ?? authority,
});
await verifier.ready();

const app = fastify();
app.get('/metrics', (_request, reply) => reply.type('text/plain').send(verifier.metrics()));
const onRequest = curfew(verifier);
app.get('/hello', { onRequest }, (request) => ({ hello: sessionOf(request).subject }));
// While the verifier cannot prove that it is fresh, this one refuses; the others ask the authority.
app.post('/payments', { onRequest: curfew(verifier, { onStale: 'refuse' }) }, (request, reply) =>
  reply.code(201).send({ paid_by: sessionOf(request).subject }),
);

const port = Number(process.env['PORT'] ?? 3000);
await app.listen({ port, host: '127.0.0.1' });
console.log(`listening on http://127.0.0.1:${port}`);
process.once('SIGTERM', () => void app.close().then(() => verifier.close()));
