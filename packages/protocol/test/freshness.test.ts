import { Freshness, marginMs } from '@curfew/protocol/freshness';
import { expect, test } from 'vitest';

const at = (monotonicMs: number, wallMs: number = monotonicMs): { monotonicMs: number; wallMs: number } => ({
  monotonicMs,
  wallMs,
});

test('a replica is fresh for less than a lease from the question, minus the reported age', () => {
  const fresh = new Freshness(1000);
  expect(fresh.isFresh(at(0))).toBe(false);
  expect(fresh.ageMs(at(0))).toBe(Number.POSITIVE_INFINITY);
  fresh.prove(at(5000), 300);
  expect(fresh.ageMs(at(5000))).toBe(300);
  expect(fresh.isFresh(at(5699))).toBe(true);
  expect(fresh.isFresh(at(5700))).toBe(false);
});

test('an older proof does not shorten a newer one', () => {
  const fresh = new Freshness(1000);
  fresh.prove(at(5000), 0);
  fresh.prove(at(4000), 0);
  fresh.prove(at(5100), 900);
  expect(fresh.ageMs(at(5200))).toBe(200);
});

test('the clock that advanced further counts', () => {
  const fresh = new Freshness(1000);
  fresh.prove(at(5000, 90_000), 0);
  // A machine that slept, a wall clock that was set forward, and back.
  expect(fresh.ageMs(at(5100, 90_800))).toBe(800);
  expect(fresh.isFresh(at(5100, 91_000))).toBe(false);
  expect(fresh.isFresh(at(5100, 89_000))).toBe(false);
  expect(fresh.isFresh(at(5100, 90_100))).toBe(true);
});

test('the margin is a twentieth of the lease, and at least 20 ms', () => {
  expect(marginMs(100)).toBe(20);
  expect(marginMs(3000)).toBe(150);
});
