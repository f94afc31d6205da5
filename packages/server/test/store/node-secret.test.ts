import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNodeSecret } from '../../src/store/node-secret.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { migrated, silent } from '../support.ts';

const SELECT = 'select secret from node_secrets';

describe.skipIf(!hasPostgres())('the secret of the nodes', () => {
  let url: string;
  const [reader, writer] = [`reader_${process.pid}`, `writer_${process.pid}`];
  const urlOf = (role: string): string => Object.assign(new URL(url), { username: role }).href;

  beforeAll(async () => {
    url = await freshDatabase(migrated);
    await withClient(url, async (client) => {
      for (const role of [reader, writer]) await client.query(`create role ${role} login`);
      await client.query(`grant pg_read_all_data to ${reader}`);
      await client.query(`grant select on all tables in schema public to ${reader}`);
      await client.query(`grant select, insert, update, delete on all tables in schema public to ${writer}`);
    });
  });
  afterAll(() =>
    withClient(url, async (client) => {
      for (const role of [reader, writer]) await client.query(`drop owned by ${role}; drop role ${role}`);
    }),
  );

  test('is created once, also by a role that owns no table', async () => {
    const database = openPostgres({ url: urlOf(writer), pool: 2, statementNames: true, log: silent });
    try {
      const [one, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
      const made = await Promise.all([readNodeSecret(database, one), readNodeSecret(database, other)]);
      expect(made[0]).toEqual(made[1]);
      expect(await readNodeSecret(database, Buffer.alloc(32, 3))).toEqual(made[0]);
    } finally {
      await database.close();
    }
  });

  test('is hidden from a role that reads every table', async () => {
    await withClient(urlOf(reader), async (client) => {
      expect((await client.query('select 1 from users')).rows).toEqual([]);
      expect((await client.query(SELECT)).rows).toEqual([]);
      // The same when a table that it may write to has the name that identifies writers.
      await client.query('create temp table events (a integer)');
      expect((await client.query(SELECT)).rows).toEqual([]);
      await expect(client.query('set row_security = off').then(() => client.query(SELECT))).rejects.toThrow(
        'row-level security',
      );
    });
    await withClient(urlOf(writer), async (client) =>
      expect((await client.query(SELECT)).rows).toHaveLength(1),
    );
  });
});
