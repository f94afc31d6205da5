/** A filter selects the same refusals in the database and in the program, and by the actor that the log shows. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REFUSALS, refusedActor } from '../../src/domain/refusal-types.ts';
import type { Database } from '../../src/store/database.ts';
import { EVERY_EVENT, type EventFilter } from '../../src/store/log/page.ts';
import { isWanted, readRefusals, type RefusalRow } from '../../src/store/refusals.ts';
import { backends, openStore } from '../support.ts';

const BEGAN = new Date('2026-01-01T00:00:00Z');
const minute = (n: number): Date => new Date(BEGAN.getTime() + n * 60_000);

describe.each(backends())('filters of refusals, %s', (backend) => {
  let database: Database;
  let all: RefusalRow[];
  const read = (filter: EventFilter): Promise<RefusalRow[]> =>
    readRefusals(database, filter, { before: null, after: 0 }, 1000);
  beforeAll(async () => {
    database = await openStore(backend);
    await database.query({
      text: `insert into refusals (type, user_id, source, minute, count, at, last_at, contract, client_id, user_agent)
        select ($2::text[])[1 + i % 9], nullif(i % 4, 0), 'a source', at, 1, at, at, 'v1',
          (array['default', 'shop', null])[1 + i % 3], ''
        from generate_series(0, 179) i cross join lateral (select $1::timestamptz + make_interval(mins => i)) as a (at)`,
      values: [BEGAN, [...REFUSALS]],
    });
    all = await read(EVERY_EVENT);
    expect(all).toHaveLength(180);
  });
  afterAll(() => database.close());

  const filters: [Partial<EventFilter>, (row: RefusalRow) => boolean][] = [
    [{}, () => true],
    [{ refused: true }, () => true],
    [{ type: 'csrf_refused' }, ({ type }) => type === 'csrf_refused'],
    [{ userId: 3 }, ({ user_id }) => user_id === 3],
    [{ clientId: 'shop' }, ({ client_id }) => client_id === 'shop'],
    [{ since: minute(100) }, ({ at }) => at >= minute(100)],
    [{ until: minute(100) }, ({ at }) => at < minute(100)],
    ...['anonymous', 'user:1', 'user:2'].map(
      (actor): [Partial<EventFilter>, (row: RefusalRow) => boolean] => [
        { actor },
        ({ type, user_id }) => refusedActor(type, user_id) === actor,
      ],
    ),
    [
      { actor: 'anonymous', userId: 2 },
      ({ type, user_id }) => user_id === 2 && refusedActor(type, user_id) === 'anonymous',
    ],
    [
      { actor: 'user:2', userId: 2, type: 'admin_forbidden' },
      ({ type, user_id }) => user_id === 2 && type === 'admin_forbidden',
    ],
  ];
  test.each(filters)('%o', async (part, isMeant) => {
    const filter = { ...EVERY_EVENT, ...part };
    const meant = all.filter(isMeant);
    expect(meant.length).toBeGreaterThan(0);
    expect(await read(filter)).toEqual(meant);
    expect(all.filter((row) => isWanted(row, filter))).toEqual(meant);
  });

  test.each<Partial<EventFilter>>([
    { refused: false },
    { reason: 'logout' },
    { type: 'session_started' },
    { actor: 'service' },
    // Nobody has proved to be this user, and the attempt of one user is not that of another.
    { actor: 'user:2', type: 'login_failed' },
    { actor: 'user:2', userId: 3 },
  ])('%o selects none', async (part) => {
    const filter = { ...EVERY_EVENT, ...part };
    expect([await read(filter), all.filter((row) => isWanted(row, filter))]).toEqual([[], []]);
  });
});
