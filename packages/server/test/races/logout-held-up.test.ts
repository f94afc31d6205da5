/** Logouts that wait for locked rows, and those that come after them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres } from '../services/fresh-database.ts';
import { type Answer } from '../support.ts';
import { opened } from '../http/logins.ts';
import { nextTurn, openPlace, pause, type Place } from './node.ts';

/** Shorter than a statement may take, so that a logout that waits for the lock is still waiting. */
const HELD_MS = 3000;

describe.skipIf(!hasPostgres())('logouts of a user whose rows are locked', () => {
  let place: Place;
  beforeAll(async () => {
    place = await openPlace('postgres');
  });
  afterAll(() => place.close());

  test('delays no other user’s, and is done when the lock is released', async () => {
    const { world, call } = place.at(0);
    const held = await place.user();
    const those = await Promise.all(Array.from({ length: 8 }, () => opened(call, held.id)));
    const others = await Promise.all(
      Array.from({ length: 20 }, async () => opened(call, (await place.user()).id)),
    );
    const out = (bearer: string): Promise<Answer> => call('POST', '/v1/logout', { bearer });
    let release: () => void = () => undefined;
    let isHeld = true;
    const holding = world.database.transaction(async (on) => {
      await on.query({
        text: 'select 1 from user_sessions where user_id = $1 for update',
        values: [held.id],
      });
      const over = new Promise<void>((go) => (release = go));
      setTimeout(release, HELD_MS);
      await over;
      isHeld = false;
    });
    while (
      !(
        await place.rows(`select 1 from pg_locks l join pg_class c on c.oid = l.relation
      where c.relname = 'user_sessions' and l.mode = 'RowShareLock'`)
      ).length
    )
      await nextTurn();
    // Further apart than logouts are gathered: each has its own statement.
    const waiting: Promise<Answer>[] = [];
    for (const { bearer } of those) {
      waiting.push(out(bearer));
      await pause(60);
    }
    const answers = await Promise.all(others.map(({ bearer }) => out(bearer)));
    expect(answers.map(({ json }) => [json['ended'], json['confirmed']])).toEqual(
      others.map(() => [1, true]),
    );
    expect(isHeld).toBe(true);
    // The same in a batch with a locked one.
    const [last, other] = [await opened(call, held.id), await opened(call, (await place.user()).id)];
    const [, quick] = [waiting.push(out(those[0]?.bearer ?? ''), out(last.bearer)), await out(other.bearer)];
    expect([quick.json['confirmed'], isHeld]).toEqual([true, true]);
    release();
    await holding;
    const late = await Promise.all(waiting);
    expect(late.map(({ status }) => status).every((status) => status === 200 || status === 401)).toBe(true);
    const ended = late.map(({ json }) => Number(json['ended'] ?? 0));
    // The first was logged out twice: on a busy machine the second one may have come first to the lock.
    expect((ended[0] ?? 0) + (ended[those.length] ?? 0)).toBe(1);
    expect(ended.slice(1, those.length)).toEqual(those.slice(1).map(() => 1));
    for (const { bearer } of [...those, last, ...others])
      expect((await call('GET', '/v1/check', { bearer })).status).toBe(401);
  });
});
