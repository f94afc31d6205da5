import { test } from 'vitest';
import { budget } from '../services/budget.ts';
import { freshData } from '../services/embedded-data.ts';
import { killUnderLoad } from './rounds.ts';

const ROUNDS = budget('CRASH_ROUNDS');

test(`killed ${ROUNDS} times under load on the embedded database: every acknowledged logout and login stands`, {
  tags: 'long',
  timeout: 1_200_000,
}, async () => {
  // The first logout after each kill waits for the lease (verifier/test/killed-embedded.test.ts). Here the disk's content counts.
  await killUnderLoad(
    { CURFEW_DATA: freshData('crash'), CURFEW_LEASE_MS: '200', CURFEW_EMBEDDED_FSYNC: '1' },
    ROUNDS,
  );
});
