import { test } from 'vitest';
import { freshData } from '../services/embedded-data.ts';
import { killUnderLoad, ROUNDS } from './rounds.ts';

test(`killed ${ROUNDS} times under load on the embedded database: every acknowledged logout and login stands`, {
  timeout: 1_200_000,
}, async () => {
  // The first logout after each kill waits the lease out (verifier/test/killed-embedded.test.ts). Here it is about what is on disk.
  await killUnderLoad({ CURFEW_DATA: freshData('crash'), CURFEW_LEASE_MS: '200' }, ROUNDS);
});
