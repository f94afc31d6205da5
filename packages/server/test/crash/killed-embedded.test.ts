import { test } from 'vitest';
import { freshData } from '../services/embedded-data.ts';
import { killUnderLoad, ROUNDS } from './rounds.ts';

test(`killed ${ROUNDS} times under load on the embedded database: every acknowledged logout and login stands`, {
  timeout: 300_000,
}, async () => {
  await killUnderLoad({ CURFEW_DATA: freshData('crash') }, ROUNDS);
});
