/** A filter selects the same events in the database and in the program. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { EVERY_EVENT, type EventFilter, passing, readEvents } from '../../src/store/log/page.ts';
import { backends, openStore } from '../support.ts';

const BEGAN = new Date('2026-01-01T00:00:00Z');
const minute = (n: number): Date => new Date(BEGAN.getTime() + n * 60_000);

describe.each(backends())('filters of the log, %s', (backend) => {
  let database: Database;
  beforeAll(async () => {
    database = await openStore(backend);
    await database.query({
      text: `insert into events (at, type, reason, user_id, user_ids, client_id, actor)
        select $1::timestamptz + make_interval(mins => i),
          (array['session_started', 'sessions_ended', 'user_changed'])[1 + i % 3],
          (array[null, 'logout', 'admin_logout'])[1 + i % 3],
          case when i % 7 > 0 then i % 5 + 1 end,
          case when i % 7 = 0 then array[i % 5 + 1, 11, 12]::bigint[] when i % 3 = 1 then array[i % 5 + 1]::bigint[] end,
          (array['default', 'shop', null])[1 + i % 3],
          (array['user:1', 'user:1/0199-a', 'user:11/0199-b', 'service', 'system'])[1 + i % 5]
        from generate_series(0, 209) i`,
      values: [BEGAN],
    });
  });
  afterAll(() => database.close());

  const filters: Partial<EventFilter>[] = [
    {},
    { type: 'sessions_ended' },
    { reason: 'admin_logout' },
    { userId: 3 },
    { userId: 11 },
    { userId: 99 },
    { actor: 'user:1' },
    { actor: 'user:11' },
    { actor: 'service' },
    { clientId: 'shop' },
    { since: minute(100) },
    { until: minute(100) },
    { since: minute(50), until: minute(60), actor: 'system' },
    { type: 'sessions_ended', reason: 'logout', userId: 12 },
  ];
  test.each(filters)('%o', async (part) => {
    const filter = { ...EVERY_EVENT, ...part };
    const all = await readEvents(database, EVERY_EVENT, { before: null, after: 0 }, 1000);
    expect(all).toHaveLength(210);
    const passed = (await passing(database, all, filter)).map(({ position }) => position);
    if (part.userId !== 99) expect(passed.length).toBeGreaterThan(0);
    if (Object.keys(part).length > 0) expect(passed.length).toBeLessThan(210);
    const oldest = await readEvents(database, filter, { before: null, after: 0 }, 1000);
    expect(oldest.map(({ position }) => position)).toEqual(passed);
    const newest = await readEvents(database, filter, { before: 150, after: null }, 20);
    expect(newest.map(({ position }) => position)).toEqual(
      passed
        .filter((position) => position < 150)
        .toReversed()
        .slice(0, 20),
    );
  });
});
