import { withClient } from '../../packages/server/test/services/postgres.ts';

/** More transactions than the other history reaches in a while. */
const MANY_TRANSACTIONS = 2000;

/** Uses up transaction numbers, by which nodes know how far they have read the log. */
export async function burnTransactions(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('set synchronous_commit = off');
    await client.query(
      `do $$ begin for i in 1..${MANY_TRANSACTIONS} loop perform pg_current_xact_id(); commit; end loop; end $$`,
    );
  });
}
