import { afterAll, beforeAll, describe, test } from 'vitest';
import { budget } from '../services/budget.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../services/postgres.ts';
import { killUnderLoad } from './rounds.ts';

const ROUNDS = budget('CRASH_ROUNDS');

describe.skipIf(findPostgres() === undefined)('on a PostgreSQL that syncs to disk', () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres({ durable: true });
  });
  afterAll(() => postgres?.stop());

  test(`killed ${ROUNDS} times under load: every acknowledged logout and login stands`, {
    tags: 'long',
    timeout: 1_200_000,
  }, async () => {
    // The nodes that died are waited for until they are found silent: a short lease keeps the rounds short.
    await killUnderLoad({ DATABASE_URL: postgres.url, CURFEW_LEASE_MS: '200' }, ROUNDS);
  });
});
