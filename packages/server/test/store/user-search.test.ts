/** The search for users by part of the name or address, with an index and without. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findUsers, SearchStopped } from '../../src/actions/find-users.ts';
import type { Database } from '../../src/store/database.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { hasSearchIndex, patternsOf, searchUsersByIndex } from '../../src/store/user-search.ts';
import { createLog } from '../../src/system/log.ts';
import { createPasswordHasher } from '../../src/system/password-hashing.ts';
import { realSystem } from '../../src/system/real.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { migrated, silent } from '../support.ts';

const USERS = 125_000;

describe.runIf(hasPostgres())('a user among many', () => {
  let database: Database;
  const system = realSystem(createLog('silent'), createPasswordHasher({ concurrency: 1, queue: 1 }));
  let url: string;
  /** Without the time limit of the server's own connections. */
  const unhurried = (text: string): Promise<unknown> => withClient(url, (client) => client.query(text));
  const find = async (text: string, after = 0, limit = 20, signal?: AbortSignal): Promise<number[]> =>
    (await findUsers({ database, system }, text, after, limit, signal)).map(({ id }) => id);

  beforeAll(async () => {
    url = await freshDatabase(migrated);
    database = openPostgres({ url, pool: 4, statementNames: true, log: silent });
    // Ids from elsewhere leave gaps as large as they like.
    await unhurried(
      `insert into users (id, email, name, created_at)
       select case when i <= 60000 then i else i::bigint * 1000000000 end, 'u' || i || '@example.com',
         case when i in (7, 9999, 10000, 10001, 60001, 110000, ${USERS}) then 'Zoë Ångström_50%' else 'Somebody' end, now()
       from generate_series(1, ${USERS}) i`,
    );
  });
  afterAll(() => database.close());

  const RARE = [7, 9999, 10_000, 10_001, 60_001e9, 110_000e9, USERS * 1e9];

  test('is found by part of the name, in any case, or of the address, page by page', async () => {
    expect(await find('ë ångstr')).toEqual(RARE);
    expect(await find('ZOË Å')).toEqual(RARE);
    expect(await find(`u${USERS}@`)).toEqual([USERS * 1e9]);
    expect(await find('_50%')).toEqual(RARE);
    expect(await find('z_ë')).toEqual([]);
    expect(await find('Zoë', 0, 3)).toEqual(RARE.slice(0, 3));
    expect(await find('Zoë', 10_000, 3)).toEqual(RARE.slice(3, 6));
    expect(await find('Zoë', 110_000e9)).toEqual(RARE.slice(6));
    expect(await find('somebody', 0, 5)).toEqual([1, 2, 3, 4, 5]);
  });

  test('a search stops when its caller has gone', async () => {
    await expect(find('nobody has this', 0, 20, AbortSignal.abort())).rejects.toThrow(SearchStopped);
    const leaving = new AbortController();
    const searching = find('nobody has this', 0, 20, leaving.signal);
    setImmediate(() => leaving.abort());
    await expect(searching).rejects.toThrow(SearchStopped);
  });

  test('a trigram index is used where one exists', async (context) => {
    const { rows } = await database.query({
      text: `select 1 from pg_available_extensions where name = 'pg_trgm'`,
      values: [],
    });
    if (rows.length === 0) return context.skip();
    expect(await hasSearchIndex(database)).toBe(false);
    await unhurried('create extension pg_trgm');
    await unhurried('create index users_search on users using gin (email gin_trgm_ops, name gin_trgm_ops)');
    expect(await hasSearchIndex(database)).toBe(true);
    expect(await find('ë ångstr')).toEqual(RARE);
    expect(await find('Zoë', 0, 5)).toEqual(RARE.slice(0, 5));
    expect(
      (await searchUsersByIndex(database, patternsOf('gström_', false), 9999, 20)).map(({ id }) => id),
    ).toEqual(RARE.slice(2));
  });
});
