import { type Known, Memory } from '@curfew/protocol/memory';
import type { Verdict } from '@curfew/protocol/replica';
import { beforeEach, expect, test } from 'vitest';
import { session } from './sessions.ts';

let verdict: Verdict;
let nowMs: number;
let memory: Memory<string>;

beforeEach(() => {
  verdict = 'alive';
  nowMs = 1000;
  memory = new Memory({ capacity: 3, judge: () => verdict, monotonicMs: () => nowMs });
});

function keep(text: string, more: Partial<Known<string>> = {}): void {
  memory.remember({
    text,
    session: session(),
    value: `value of ${text}`,
    expiresAtMs: 5000,
    askedMs: nowMs,
    believedMs: 60_000,
    mark: memory.mark,
    ...more,
  });
}

const recall = (text: string, atMs = 0): unknown => {
  const known = memory.recall(text, atMs);
  return known !== null && typeof known === 'object' ? known.value : known;
};

test('a known credential is answered behind the judge', () => {
  keep('a');
  expect(recall('a')).toBe('value of a');
  expect(recall('b')).toBeNull();
  verdict = 'unsure';
  expect(recall('a')).toBe('unsure');
  verdict = 'alive';
  expect(recall('a')).toBe('value of a');
  verdict = 'ended';
  expect(recall('a')).toBe('ended');
  // An ended session is forgotten: it cannot come back.
  verdict = 'alive';
  expect(recall('a')).toBeNull();
});

test('an expired credential is unknown, to the millisecond', () => {
  keep('a', { expiresAtMs: 5000 });
  expect(recall('a', 4999)).toBe('value of a');
  expect(recall('a', 5000)).toBeNull();
  expect(memory.size).toBe(0);
});

test('an answer is valid for its time, counted from the question', () => {
  keep('a', { askedMs: 1000, believedMs: 500 });
  nowMs = 1499;
  expect(recall('a')).toBe('value of a');
  nowMs = 1500;
  expect(recall('a')).toBeNull();
});

test('a change of the user between question and answer counts', () => {
  const { mark } = memory;
  memory.change(['7'], 60_000);
  keep('a', { mark });
  expect(recall('a')).toBeNull();
  keep('a');
  expect(recall('a')).toBe('value of a');
  memory.change(['8'], 60_000);
  expect(recall('a')).toBe('value of a');
  memory.change(['7'], 60_000);
  expect(recall('a')).toBeNull();
});

test('changes are remembered longer than earlier answers are valid', () => {
  const { mark } = memory;
  memory.change(['7'], 500);
  nowMs += 999;
  memory.change(['8'], 500);
  expect(memory.changedSince(mark, '7')).toBe(true);
  nowMs += 2;
  memory.change(['9'], 500);
  expect(memory.changedSince(mark, '7')).toBe(false);
  expect(memory.changedSince(mark, '8')).toBe(true);
});

test('an answer to a question from before `forget` is not stored', () => {
  keep('a');
  const askedMs = nowMs;
  nowMs += 5;
  memory.forget();
  expect(recall('a')).toBeNull();
  keep('a', { askedMs });
  expect(recall('a')).toBeNull();
  nowMs += 1;
  keep('a');
  expect(recall('a')).toBe('value of a');
});

test('the memory is bounded, and the oldest entry goes first', () => {
  for (const text of ['a', 'b', 'c', 'd']) keep(text);
  expect(memory.size).toBe(3);
  expect(['a', 'b', 'c', 'd'].map((text) => recall(text))).toEqual([
    null,
    'value of b',
    'value of c',
    'value of d',
  ]);
});

test('credentials that end alike are distinct', () => {
  keep('one-and-the-same-end');
  expect(recall('another-and-the-same-end')).toBeNull();
  keep('another-and-the-same-end');
  expect(recall('another-and-the-same-end')).toBe('value of another-and-the-same-end');
  expect(recall('one-and-the-same-end')).toBeNull();
});
