/** A back end that Curfew protects: `node --conditions=curfew-source examples/protected-express.ts` */
import { createVerifier } from '@curfew/verifier';
import { curfew, sessionOf } from '@curfew/verifier/express';
import express from 'express';

const authority = process.env['AUTHORITY'] ?? 'http://localhost:8000';
const verifier = createVerifier({
  authority,
  serviceKey: process.env['SERVICE_KEY'] ?? '',
  audience: process.env['AUDIENCE'] ?? authority,
});
await verifier.ready();

const app = express();
app.get('/metrics', (_req, res) => {
  res.type('text/plain').send(verifier.metrics());
});
app.use(curfew(verifier));
app.get('/hello', (req, res) => {
  res.json({ hello: sessionOf(req).subject });
});
// While the verifier cannot prove that it is fresh, this one refuses; the others ask the authority.
app.post('/payments', curfew(verifier, { onStale: 'refuse' }), (req, res) => {
  res.status(201).json({ paid_by: sessionOf(req).subject });
});

const port = Number(process.env['PORT'] ?? 3000);
const server = app.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`));
process.once('SIGTERM', () => server.close(() => void verifier.close()));
