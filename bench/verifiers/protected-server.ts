import { createServer } from 'node:http';
import { createVerifier } from '@curfew/verifier';
import { curfew } from '@curfew/verifier/express';

/** A back end that does nothing but protect itself. Compared to a bare node:http it shows the cost of the guard. */
const { PORT, AUTHORITY, SERVICE_KEY, AUDIENCE } = process.env;
const verifier = createVerifier({
  authority: AUTHORITY ?? '',
  serviceKey: SERVICE_KEY ?? '',
  audience: AUDIENCE ?? '',
});
const guard = curfew(verifier);
const server = createServer((request, response) => {
  guard(request, response, () => response.end('{"active":true}'));
});

process.on('disconnect', () => process.exit());
if (!(await verifier.ready())) throw new Error('the verifier did not become fresh');
server.listen(Number(PORT), '127.0.0.1', () => process.send?.({ ready: true }));
