/** A back end as a separate process, to be paused, with its own clock. Prints memory's answers at once. */
import { flushCompileCache } from 'node:module';
import { createVerifier } from '../src/index.ts';

const [authority = '', serviceKey = '', audience = '', aheadMs = '0'] = process.argv.slice(2);
const wallMs = Date.now;
Date.now = () => wallMs() + Number(aheadMs);
const verifier = createVerifier({ authority, serviceKey, audience, log: () => undefined });
process.on('message', (credential: string) => {
  const now = verifier.verifyNow(credential, { onStale: 'refuse' });
  if (now) process.send?.(now);
  else void verifier.verify(credential, { onStale: 'refuse' }).then((verified) => process.send?.(verified));
});
process.once('disconnect', () => process.exit());
await verifier.ready(60_000);
// It is killed, and would not write its compile cache.
flushCompileCache();
process.send?.('ready');
