/** When the passes of a reader run, by a hand clock. */
import { expect, test } from 'vitest';
import { startPasses } from '../../src/cluster/follow/passes.ts';
import { realSystem } from '../../src/system/real.ts';
import { nextTurn } from '../races/node.ts';
import { openHandClock, timeOf } from '../services/hand-clock.ts';
import { cheap, recordingLog } from '../support.ts';

test('a pass that fails is repeated at growing intervals, until one succeeds', async () => {
  const clock = openHandClock();
  const { log, lines } = recordingLog();
  let [passed, fails] = [0, true];
  const passes = startPasses({ ...realSystem(log, cheap), ...timeOf(clock) }, 'tally', async () => {
    passed++;
    if (fails) throw new Error('a reader at fault');
  });
  await nextTurn();
  /** The next pass comes exactly then. */
  const comesAfter = async (ms: number): Promise<void> => {
    const before = passed;
    clock.pass(ms - 1);
    await nextTurn();
    expect(passed).toBe(before);
    clock.pass(1);
    await nextTurn();
    expect(passed).toBe(before + 1);
  };
  for (const ms of [250, 1000, 5000, 30_000, 30_000]) await comesAfter(ms);
  expect(passes.state()).toEqual({ failures: 6, lastDone: null });
  expect(lines.map((line) => JSON.parse(line))).toMatchObject(
    Array.from({ length: 6 }, () => ({ level: 'error', reader: 'tally', err: expect.anything() })),
  );
  fails = false;
  await comesAfter(30_000);
  expect(passes.state()).toEqual({ failures: 0, lastDone: new Date(clock.wallMs) });
  await comesAfter(5000);
  fails = true;
  await comesAfter(5000);
  await comesAfter(250);

  // A pass on demand takes the place of the one that was due.
  fails = false;
  await passes.catchUp();
  await comesAfter(5000);
  await passes.close();
  clock.pass(60_000);
  await nextTurn();
  expect(lines).toHaveLength(8);
});

test('a pass that was asked for runs once for many, and before the end', async () => {
  const clock = openHandClock();
  let passed = 0;
  const passes = startPasses(
    { ...realSystem(recordingLog().log, cheap), ...timeOf(clock) },
    'tally',
    async () => {
      passed++;
    },
  );
  await nextTurn();
  for (let i = 0; i < 3; i++) passes.soon();
  clock.pass(199);
  await nextTurn();
  expect(passed).toBe(1);
  clock.pass(1);
  await nextTurn();
  expect(passed).toBe(2);
  passes.soon();
  await passes.close();
  expect(passed).toBe(3);
  clock.pass(60_000);
  await nextTurn();
  expect(passed).toBe(3);
});
