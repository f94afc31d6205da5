import { describe, expect, test } from 'vitest';
import { judgeRefresh, type RefreshRecord, spender } from '../../src/domain/rotation.ts';

const NOW = new Date('2026-11-20T12:00:00.000Z');
const at = (ms: number): Date => new Date(NOW.getTime() + ms);
const nonce = Buffer.from('nonce');
const unspent: RefreshRecord = {
  sessionAlive: true,
  expiresAt: at(60_000),
  spentAt: null,
  successorNonce: null,
  spentBy: null,
};
const spent = (ms: number): RefreshRecord => ({ ...unspent, spentAt: at(ms), successorNonce: nonce });

describe('the verdict on a refresh token that could not be spent', () => {
  test.each<[string, RefreshRecord | null, string]>([
    ['unknown', null, 'refuse'],
    ['of a session that is over', { ...unspent, sessionAlive: false }, 'refuse'],
    ['run out', { ...unspent, expiresAt: NOW }, 'refuse'],
    ['run out and spent', { ...spent(-1000), expiresAt: at(-1) }, 'refuse'],
    ['spent, of a session that is over', { ...spent(-1000), sessionAlive: false }, 'refuse'],
    ['spent long ago, of a session that is over', { ...spent(-99_000), sessionAlive: false }, 'refuse'],
    ['not spent', unspent, 'retry'],
    ['spent now', spent(0), 'again'],
    ['spent at the end of the grace', spent(-10_000), 'again'],
    ['spent just before it', spent(-10_001), 'replay'],
    ['spent long ago', spent(-59_000), 'replay'],
    ['spent by a node whose clock is ahead', spent(5000), 'again'],
  ])('%s: %s', (_name, record, verdict) => {
    expect(judgeRefresh(record, NOW, 10).verdict).toBe(verdict);
  });

  test('within the grace returns nonce and instant, from which the same successor follows', () => {
    expect(judgeRefresh(spent(-4000), NOW, 10)).toEqual({ verdict: 'again', nonce, spentAt: at(-4000) });
  });

  test('without a grace every second use is a replay', () => {
    expect(judgeRefresh(spent(-1), NOW, 0).verdict).toBe('replay');
  });
});

describe('the use of a spent token within the grace', () => {
  const judged = (before: [string, string], now: [string, string]): string =>
    judgeRefresh({ ...spent(-1000), spentBy: spender(...before) }, NOW, 10, spender(...now)).verdict;

  test.each<[[string, string], [string, string], string]>([
    [['a', 'x'], ['a', 'x'], 'again'],
    [['a', 'x'], ['b', 'x'], 'again'],
    [['a', 'x'], ['a', 'y'], 'again'],
    [['a', 'x'], ['b', 'y'], 'stranger'],
    [['', 'x'], ['b', 'y'], 'again'],
    [['a', 'x'], ['b', ''], 'again'],
  ])('spent from %j, used from %j: %s', (before, now, verdict) => {
    expect(judged(before, now)).toBe(verdict);
  });

  test('a token spent by the version before is given again to anyone', () => {
    expect(judgeRefresh(spent(-1000), NOW, 10, spender('a', 'x')).verdict).toBe('again');
  });
});
