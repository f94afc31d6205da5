/** The promises of the server's timers: once is once, a limit is a limit, and what keeps the process alive. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { atMost, later } from '../../src/system/timers.ts';
import { openHandClock } from '../services/hand-clock.ts';

test('later work runs once, in time, and not after it was cancelled', () => {
  const clock = openHandClock();
  let done = 0;
  later(clock, 100, () => done++);
  const callOff = later(clock, 100, () => {
    throw new Error('it was called off');
  });
  callOff();
  clock.pass(99);
  expect(done).toBe(0);
  clock.pass(1);
  clock.pass(1000);
  expect(done).toBe(1);
});

test('the wait for work is bounded, and returns its result or failure before that', async () => {
  const clock = openHandClock();
  const never = new Promise<never>(() => undefined);
  let answer: string | undefined;
  const waited = atMost(clock, 100, never, 'late').then((one) => {
    answer = one;
  });
  clock.pass(99);
  await Promise.resolve();
  expect(answer).toBeUndefined();
  clock.pass(1);
  await waited;
  expect(answer).toBe('late');

  expect(await atMost(clock, 100, Promise.resolve('done'), 'late')).toBe('done');
  await expect(atMost(clock, 100, Promise.reject(new Error('failed')), 'late')).rejects.toThrow('failed');
});

test('one-off work keeps the process alive until it is done, repeated work does not', async () => {
  const timers = fileURLToPath(new URL('../../src/system/timers.ts', import.meta.url));
  const program = `
    const { later, realTimers } = await import(${JSON.stringify(timers)});
    realTimers.every(1_000_000, () => undefined);
    later(realTimers, 1_000_000, () => undefined);
    realTimers.after(1, () => console.log('done'));`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=curfew-source',
    '--input-type=module',
    '-e',
    program,
  ]);
  expect(stdout).toBe('done\n');
});
