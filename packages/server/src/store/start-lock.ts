import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './database.ts';
import type { Queryable } from './statement.ts';

/** Any number that nothing else takes: starters wait for each other on it. */
const LOCK = 7_236_401_577;
const LOCK_LOOK_MS = 200;
/**
 * Whoever waits for a table's lock holds up everybody who comes after, on every node: then it is given up, and the others get
 * their turn before it is tried again.
 */
const TABLE_LOCK_MS = 1000;
const TABLE_LOCK_AGAIN_MS = 2000;
const LOCK_NOT_AVAILABLE = '55P03';
/** As long as the driver's timer can be set, which is weeks. */
const NO_HURRY_MS = 2 ** 31 - 1;

/**
 * Runs what a start does to the database as a whole, in one transaction, and never two of them at once. Begins anew when others
 * use what it needs for itself.
 * @param onWait hears once of each thing that is waited for
 */
export async function oneStarterAtATime<T>(
  database: Database,
  work: (on: Queryable) => Promise<T>,
  onWait: (forWhat: string) => void = () => undefined,
): Promise<T> {
  let said = '';
  const wait = async (forWhat: string, ms: number): Promise<void> => {
    if (forWhat !== said) onWait((said = forWhat));
    await sleep(ms);
  };
  // Whoever has the lock may take longer than a statement may wait, so it is asked for again and again.
  for (;;) {
    try {
      const done = await database.transaction(async (on) => {
        const lock = await on.query({
          text: 'select pg_try_advisory_xact_lock($1) as taken',
          values: [LOCK],
        });
        return (lock.rows[0] as { taken: boolean }).taken ? { result: await work(on) } : null;
      });
      if (done) return done.result;
      await wait('waiting for another process that starts on this database', LOCK_LOOK_MS);
    } catch (error) {
      if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
      await wait('waiting for a table that others are using', TABLE_LOCK_AGAIN_MS);
    }
  }
}

/** For work of a start that takes as long as it takes: an index over a hundred million rows, a log that is rewritten. */
export async function unhurried(on: Queryable): Promise<Queryable> {
  await on.query({ text: 'set local statement_timeout = 0', values: [] });
  await on.query({ text: 'set local idle_in_transaction_session_timeout = 0', values: [] });
  await on.query({ text: `set local lock_timeout = ${TABLE_LOCK_MS}`, values: [] });
  return { query: (config) => on.query({ ...config, query_timeout: NO_HURRY_MS }) };
}
