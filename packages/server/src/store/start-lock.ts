import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './database.ts';
import type { Queryable } from './statement.ts';

/** The advisory lock of starters: any number that nothing else uses. */
const LOCK = 7_236_401_577;
const LOCK_LOOK_MS = 200;
/**
 * A statement that waits for a table's lock holds up all later ones, on every node. So the wait is given up, the others get their
 * turn, and it is tried again.
 */
const TABLE_LOCK_MS = 1000;
const TABLE_LOCK_AGAIN_MS = 2000;
const LOCK_NOT_AVAILABLE = '55P03';
/** As long as the driver's timer allows, which is weeks. */
const NO_HURRY_MS = 2 ** 31 - 1;

/**
 * Runs a start's work on the whole database in one transaction, never two at once. Begins anew when other transactions hold what
 * it needs.
 * @param onWait called once for each thing that is waited for
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
  // The holder may take longer than a statement may wait, so the lock is requested repeatedly.
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
      await wait('waiting for another process that is starting on this database', LOCK_LOOK_MS);
    } catch (error) {
      if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
      await wait('waiting for a table that others are using', TABLE_LOCK_AGAIN_MS);
    }
  }
}

/** For a start's work of any length: an index over a hundred million rows, a log that is rewritten. */
export async function unhurried(on: Queryable): Promise<Queryable> {
  await on.query({ text: 'set local statement_timeout = 0', values: [] });
  await on.query({ text: 'set local idle_in_transaction_session_timeout = 0', values: [] });
  await on.query({ text: `set local lock_timeout = ${TABLE_LOCK_MS}`, values: [] });
  return { query: (config) => on.query({ ...config, query_timeout: NO_HURRY_MS }) };
}
