import { expect, test } from 'vitest';
import { migrate } from '../../src/store/migrate.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { oneStarterAtATime } from '../../src/store/start-lock.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { migrated, silent } from '../support.ts';

test.skipIf(!hasPostgres())(
  'a start that waits for another process logs it once, however long it takes',
  async () => {
    const url = await freshDatabase(migrated);
    const [one, other] = [1, 2].map(() => openPostgres({ url, pool: 2, statementNames: true, log: silent }));
    if (!one || !other) throw new Error('no databases');
    const heard: string[] = [];
    let finish = (): void => undefined;
    let first: Promise<void> | undefined;
    await new Promise<void>((begun) => {
      first = oneStarterAtATime(one, () => {
        begun();
        return new Promise<void>((done) => (finish = done));
      });
    });
    const second = migrate(
      other,
      () => undefined,
      (what) => heard.push(what),
    );
    await expect.poll(() => heard, { timeout: 10_000 }).toHaveLength(1);
    finish();
    await Promise.all([first, second]);
    expect(heard).toEqual(['waiting for another process that is starting on this database']);
    await Promise.all([one.close(), other.close()]);
  },
);
