/** A database that cannot be written to answers nothing: it may be a standby that lags, or a primary that is one no longer. */
import { expect, test } from 'vitest';
import { everyStatement } from '../../src/store/statement.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { migrated } from '../support.ts';
// Every module that declares statements.
import '../../src/authority.ts';

test.runIf(hasPostgres())('a statement fails where its transaction may not write', async () => {
  const answered: string[] = [];
  const failures = new Set<string>();
  await withClient(await freshDatabase(migrated), async (client) => {
    await client.query('set plan_cache_mode = force_generic_plan; set default_transaction_read_only = on');
    for (const { name, text } of everyStatement()) {
      await client.query(`prepare "${name}" as ${text}`);
      const { rows } = await client.query<{ n: number }>(
        'select cardinality(parameter_types) as n from pg_prepared_statements where name = $1',
        [name],
      );
      const nulls = Array.from({ length: rows[0]?.n ?? 0 }, () => 'null').join(', ');
      await client.query(`execute "${name}"${nulls === '' ? '' : `(${nulls})`}`).then(
        () => answered.push(name),
        (error: Error & { code?: string }) => failures.add(`${error.code}`),
      );
    }
  });
  expect(answered).toEqual([]);
  // "cannot execute … in a read-only transaction", and our own.
  expect([...failures].sort()).toEqual(['22P02', '25006']);
});
