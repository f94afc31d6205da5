import { expect, test } from 'vitest';
import { countInBackground } from '../../src/cluster/state/background-count.ts';
import type { System } from '../../src/system/system.ts';

test('a count runs in the background, once at a time, every ten seconds at most, and a twentieth of the time at most', async () => {
  let nowMs = 1000;
  const logged: unknown[][] = [];
  const system = {
    monotonicMs: () => nowMs,
    now: () => new Date(nowMs),
    log: { info: (facts: object, text: string) => void logged.push([facts, text]) },
  } as unknown as System;
  const asked: { resolve: (value: number) => void; reject: (error: Error) => void }[] = [];
  const counted = countInBackground(
    system,
    () => new Promise<number>((resolve, reject) => asked.push({ resolve, reject })),
  );
  /** Answers the latest count, and lets everything that follows from it run. */
  const answer = async (how: (one: (typeof asked)[number]) => void): Promise<void> => {
    how(asked.at(-1) as (typeof asked)[number]);
    await new Promise((next) => setImmediate(next));
  };

  expect(counted()).toBeNull();
  nowMs += 60_000;
  expect([counted(), asked.length]).toEqual([null, 1]);
  nowMs = 1100;
  await answer(({ resolve }) => resolve(7));
  expect(counted()).toEqual({ value: 7, at: new Date(1000) });
  // It took a tenth of a second: ten seconds are longer than twenty times that.
  nowMs = 11_099;
  counted();
  expect(asked.length).toBe(1);
  nowMs = 11_100;
  expect(counted()).toEqual({ value: 7, at: new Date(1000) });
  expect(asked.length).toBe(2);
  // A failed count is logged, and the last good one is still returned. It took a second: twenty pass.
  nowMs = 12_100;
  await answer(({ reject }) => reject(new Error('away')));
  expect(logged).toEqual([[{ err: new Error('away') }, 'could not count the live sessions']]);
  nowMs = 32_099;
  expect(counted()?.value).toBe(7);
  expect(asked.length).toBe(2);
  nowMs = 32_100;
  counted();
  expect(asked.length).toBe(3);
  await answer(({ resolve }) => resolve(8));
  expect(counted()).toEqual({ value: 8, at: new Date(32_100) });
});
