import { expect, test } from 'vitest';
import { everyStatement } from '../../src/store/statement.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { migrated } from '../support.ts';
// Every module that declares statements.
import '../../src/store/ends.ts';
import '../../src/store/keys.ts';
import '../../src/store/limits.ts';
import '../../src/store/live-count.ts';
import '../../src/store/log.ts';
import '../../src/store/marking.ts';
import '../../src/store/nodes.ts';
import '../../src/store/refresh.ts';
import '../../src/store/revoke.ts';
import '../../src/store/sessions.ts';
import '../../src/store/standing.ts';
import '../../src/store/user-search.ts';
import '../../src/store/users.ts';

test.runIf(hasPostgres())('every statement is prepared by PostgreSQL, and no two share a name', async () => {
  const statements = everyStatement();
  expect(statements.length).toBeGreaterThan(40);
  expect(new Set(statements.map((one) => one.name)).size).toBe(statements.length);
  const faults: string[] = [];
  await withClient(await freshDatabase(migrated), async (client) => {
    for (const { name, text } of statements)
      await client
        .query(`prepare "${name}" as ${text}`)
        .catch((error: unknown) => faults.push(`${name}: ${String(error)}`));
  });
  expect(faults).toEqual([]);
});
