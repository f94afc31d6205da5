/** The table of limits is bounded under any attack. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import {
  countAttempt,
  forgiveAttempt,
  type LoginAttempt,
  sweepLimits,
  uncountAttempt,
} from '../../src/store/limits.ts';
import { migrate } from '../../src/store/migrate.ts';
import { freshData } from '../services/embedded-data.ts';
import { openQuickly } from '../services/open-embedded.ts';

const LIMITS = { pair: 3, address: 8, account: 10, windowSeconds: 900 };
const NOW = new Date('2026-11-20T12:00:00Z');
const attempt = (i: number, source = '192.0.2.1'): LoginAttempt => ({ email: `u${i}@example.com`, source });

describe('rows of the limits', () => {
  let database: Database;
  beforeAll(async () => {
    database = await openQuickly(freshData('limits'));
    await migrate(database);
  });
  afterAll(() => database.close());

  const rows = async (): Promise<number> =>
    Number(
      (await database.query({ text: 'select count(*) from login_limits', values: [] })).rows[0]?.['count'],
    );
  const empty = () => database.query({ text: 'delete from login_limits', values: [] });

  test('a refused attempt leaves none', async () => {
    await empty();
    for (let i = 0; i < 3; i++) expect(await countAttempt(database, attempt(1), LIMITS, NOW)).toBeNull();
    expect(await rows()).toBe(2);
    for (let i = 0; i < 20; i++) expect(await countAttempt(database, attempt(1), LIMITS, NOW)).toBe(900);
    expect(await rows()).toBe(2);
  });

  test('a successful attempt leaves none', async () => {
    await empty();
    for (let i = 0; i < 20; i++) {
      await countAttempt(database, attempt(i), LIMITS, NOW);
      await uncountAttempt(database, attempt(i), NOW);
    }
    expect(await rows()).toBe(0);
  });

  test('an attempt from a familiar source that is taken back makes no room for others', async () => {
    await empty();
    await countAttempt(database, attempt(1), LIMITS, NOW);
    await forgiveAttempt(database, attempt(1), NOW);
    // The account is full: only the familiar source, which is not counted for it, gets in, and makes no room there.
    for (let i = 0; i < 10; i++) await countAttempt(database, attempt(1, `198.51.100.${i}`), LIMITS, NOW);
    for (let i = 0; i < 5; i++) {
      expect(await countAttempt(database, attempt(1), LIMITS, NOW)).toBeNull();
      await uncountAttempt(database, attempt(1), NOW);
      expect(await countAttempt(database, attempt(1, '198.51.100.99'), LIMITS, NOW)).toBe(900);
    }
  });

  test('a sweep keeps them within the bound, the longest-lasting ones last', async () => {
    await empty();
    for (let i = 0; i < 40; i++)
      await countAttempt(database, attempt(i, `192.0.2.${i}`), LIMITS, new Date(NOW.getTime() + i * 1000));
    await countAttempt(database, attempt(99), LIMITS, NOW);
    await forgiveAttempt(database, attempt(99), NOW);
    await sweepLimits(database, NOW, 21);
    expect(await rows()).toBe(21);
    // The familiar one is among them.
    for (let i = 0; i < 10; i++) await countAttempt(database, attempt(99, `198.51.100.${i}`), LIMITS, NOW);
    expect(await countAttempt(database, attempt(99, '198.51.100.99'), LIMITS, NOW)).toBe(900);
    expect(await countAttempt(database, attempt(99), LIMITS, NOW)).toBeNull();
  });
});
