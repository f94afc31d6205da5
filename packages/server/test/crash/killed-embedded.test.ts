import { test } from 'vitest';
import { makeScratch } from '../services/scratch.ts';
import { killUnderLoad, ROUNDS } from './rounds.ts';

test(`killed ${ROUNDS} times under load on the embedded database: every acknowledged logout and login stands`, {
  timeout: 300_000,
}, async () => {
  await killUnderLoad({ CURFEW_DATA: makeScratch('crash') }, ROUNDS);
});
