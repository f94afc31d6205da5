// A back end on the package as it is built and published, on whatever Node runs it. Answers what its parent asks.
import { createRequire } from 'node:module';
import { createVerifier } from '@curfew/verifier';
import { curfew } from '@curfew/verifier/express';

const [authority, serviceKey, audience] = process.argv.slice(2);
const verifier = createVerifier({ authority, serviceKey, audience });
async function check(credential) {
  process.send(await verifier.verify(credential));
  if (credential !== null) return;
  await verifier.close();
  // Nothing of the verifier keeps the process from here on.
  process.disconnect();
}
process.on('message', (credential) => void check(credential));
const required = createRequire(import.meta.url)('@curfew/verifier');
process.send({
  node: process.versions.node,
  ready: await verifier.ready(30_000),
  built: import.meta.resolve('@curfew/verifier').endsWith('/dist/index.js'),
  required: required.createVerifier === createVerifier && typeof curfew === 'function',
});
