import { expect, onTestFinished, test } from 'vitest';
import { answered } from '../../src/actions/settle.ts';

test('a logout that does not wait is answered before its confirmation, and ends no process when that fails', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): number => unhandled.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  let fail = (_error: Error): void => undefined;
  const confirming = new Promise<never>((_resolve, reject) => (fail = reject));
  expect(await answered({ count: 3, more: false }, 'none', confirming)).toEqual({
    ended: 3,
    more: false,
    confirmed: false,
    acknowledged: 0,
    waitedOut: 0,
  });
  fail(new Error('the new history lacks the ending'));
  // Node reports a rejection that nobody handles when the microtasks of the turn are over.
  await new Promise((turn) => setImmediate(turn));
  expect(unhandled).toEqual([]);
});

test('a logout that waits fails when its confirmation fails', async () => {
  const confirming = Promise.reject(new Error('the new history lacks the ending'));
  await expect(answered({ count: 3, more: false }, 'replicas', confirming)).rejects.toThrow(
    'lacks the ending',
  );
});
