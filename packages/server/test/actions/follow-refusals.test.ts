import { expect, onTestFinished, test } from 'vitest';
import { followRefusals } from '../../src/actions/follow-refusals.ts';
import { EVERY_EVENT } from '../../src/store/log/page.ts';
import { newUser } from '../http/logins.ts';
import { openNode } from '../races/node.ts';
import { freshData } from '../services/embedded-data.ts';
import { freshDatabase } from '../services/fresh-database.ts';
import { migrated, routeBackend } from '../support.ts';

test('refusals are read once a second, and returned once, and again when their count has grown', async () => {
  const on = await openNode({
    CURFEW_EMBEDDED_FSYNC: '0',
    ...(routeBackend() === 'embedded'
      ? { CURFEW_DATA: freshData('refusals') }
      : { DATABASE_URL: await freshDatabase(migrated) }),
  });
  onTestFinished(() => on.close());
  const { email } = await newUser(on.call);
  /** A failed login, written; those of a minute by the same source share a row. */
  const fail = async (address: string): Promise<void> => {
    await on.call('POST', '/auth/login', { body: { email, password: 'not it' }, address });
    await on.world.refusals.write();
  };
  let nowMs = 50_000;
  let asked = 0;
  const world = {
    system: { ...on.world.system, monotonicMs: () => nowMs },
    database: Object.create(on.world.database, {
      query: {
        value: (config: Parameters<typeof on.world.database.query>[0]) => {
          asked++;
          return on.world.database.query(config);
        },
      },
    }) as typeof on.world.database,
  };
  const look = followRefusals(world, EVERY_EVENT);
  const read = async (): Promise<unknown> => {
    const before = asked;
    const rows = await look();
    return asked === before ? 'not asked' : rows.map(({ count }) => count);
  };

  await fail('198.51.100.7');
  // From now on: earlier rows are not returned.
  expect(await read()).toEqual([]);
  expect(await read()).toEqual([]);
  nowMs += 999;
  expect(await read()).toBe('not asked');
  nowMs += 1;
  await fail('198.51.100.8');
  expect(await read()).toEqual([1]);
  expect(await read()).toBe('not asked');
  nowMs += 1000;
  expect(await read()).toEqual([]);
  await fail('198.51.100.8');
  nowMs += 1000;
  expect(await read()).toEqual([2]);

  const none = followRefusals(world, { ...EVERY_EVENT, refused: false });
  const before = asked;
  expect([await none(), await none(), asked - before]).toEqual([[], [], 0]);
});
