/** A back end of the demonstration: one address, protected by the verifier. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createVerifier } from '@curfew/verifier';
import { curfew, sessionOf } from '@curfew/verifier/express';

const verifier = createVerifier({
  authority: (process.env['AUTHORITY'] ?? '').split(','),
  serviceKey: process.env['SERVICE_KEY'] ?? '',
  audience: 'http://localhost:8000',
});
const guard = curfew(verifier);
const server = createServer((request, response) => {
  guard(request, response, () => response.end(`hello, user ${sessionOf(request).subject}\n`));
});
await verifier.ready();
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening at http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);
});
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  void verifier.close();
});
