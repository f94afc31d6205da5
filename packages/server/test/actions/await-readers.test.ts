/** How long a logout of contracts 001 and 004 waits for a reader of the log. */
import { expect, test } from 'vitest';
import { audited, evicted } from '../../src/actions/await-readers.ts';
import type { World } from '../../src/world/world.ts';
import { openHandClock, timeOf } from '../services/hand-clock.ts';

const never = new Promise<never>(() => undefined);

function waiting(wait: (world: World) => Promise<void>, catchUp: () => Promise<void>, healthy = true) {
  const clock = openHandClock();
  const world = { readers: { catchUp }, system: timeOf(clock), redis: { healthy } } as unknown as World;
  let over = false;
  void wait(world).then(() => (over = true));
  return {
    /** @returns whether the wait is over */
    async pass(ms: number): Promise<boolean> {
      clock.pass(ms);
      await new Promise((next) => setImmediate(next));
      return over;
    },
  };
}

test.each([
  ['the eviction', evicted],
  ['the row in `logs`', audited],
])('%s is waited for, at most 200 ms', async (_, wait) => {
  const hanging = waiting(wait, () => never);
  expect([await hanging.pass(199), await hanging.pass(1)]).toEqual([false, true]);
  const done = waiting(wait, async () => undefined);
  expect(await done.pass(0)).toBe(true);
  const failing = waiting(wait, () => Promise.reject(new Error('it cannot be done')));
  expect(await failing.pass(0)).toBe(true);
});

test('the eviction is not waited for while Redis is away', async () => {
  expect(await waiting(evicted, () => never, false).pass(0)).toBe(true);
});
