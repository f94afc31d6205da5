import { describe, expect, test } from 'vitest';
import { simulate, type Layout } from './simulation.ts';
import { unitCosts, type UnitCosts } from './unit-costs.ts';

const COSTS: UnitCosts = {
  logoutMicros: 200,
  endingMicros: 20,
  sharedEndingMicros: 5,
  renewalMicros: 30,
  verifierMicros: 50,
  commitMs: 1,
  hopMs: 0.1,
  ringMs: 0.5,
  endedIdBytes: 20,
  endedIdResidentBytes: 40,
  checksPerSecond: 40_000,
  localChecksPerSecond: 1e6,
  logoutsPerSecond: 4000,
  loginsPerSecond: 60,
  refreshesPerSecond: 2000,
};
/** Logouts so rare that no two overlap, and a lease so long that renewals cost nothing. */
const QUIET: Layout = {
  nodes: 1,
  verifiers: 1,
  logoutsPerSecond: 0.001,
  leaseMs: 1e12,
  networkMs: 0,
  logouts: 20,
  seed: 1,
};
const p50 = (layout: Partial<Layout>, costs: Partial<UnitCosts> = {}): number =>
  simulate({ ...COSTS, ...costs }, { ...QUIET, ...layout }).p50Ms ?? Number.NaN;

describe('the latency follows from the unit costs', () => {
  test('without listeners a logout takes as long as the commit', () => {
    expect(p50({ verifiers: 0 })).toBeCloseTo(1, 9);
  });

  test('one verifier: the commit, the ending sent, taken in and acknowledged, and two hops', () => {
    const known = 1 + 0.02 + 0.05;
    expect(p50({}, { hopMs: 0 })).toBeCloseTo(known, 9);
    // A hop takes once to twice what was measured.
    expect(p50({})).toBeGreaterThanOrEqual(known + 0.2);
    expect(p50({})).toBeLessThanOrEqual(known + 0.4);
  });

  test('with many verifiers the node takes most of the time, one verifier after the other', () => {
    expect(p50({ verifiers: 10_000 }, { hopMs: 0, verifierMicros: 0 })).toBeCloseTo(1 + 10_000 * 0.02, 3);
  });

  test('the network is passed there and back, and once more each way for every tier and node in between', () => {
    const none = { hopMs: 0 };
    expect(p50({ networkMs: 5 }, none) - p50({}, none)).toBeCloseTo(10, 9);
    expect(p50({ networkMs: 5, relayFanOut: 1 }, none) - p50({ relayFanOut: 1 }, none)).toBeCloseTo(20, 9);
    const three = { nodes: 3, verifiers: 3 };
    expect(p50({ ...three, networkMs: 5 }, none) - p50(three, none)).toBeCloseTo(20, 9);
  });

  test('a relay costs what a verifier and a publisher cost', () => {
    const none = { hopMs: 0 };
    // 100 verifiers below one relay: the node sends one ending, the relay takes one in and sends a hundred.
    const expected = 1 + 0.02 + 0.05 + 100 * 0.02;
    expect(p50({ verifiers: 100, relayFanOut: 100 }, { ...none, verifierMicros: 50 })).toBeCloseTo(
      expected,
      1,
    );
    const wide = { verifiers: 10_000 };
    expect(p50({ ...wide, relayFanOut: 100 }, none)).toBeLessThan(p50(wide, none) / 10);
  });
});

describe('the processor time follows from the unit costs', () => {
  const loaded: Layout = {
    ...QUIET,
    nodes: 2,
    verifiers: 500,
    logoutsPerSecond: 50,
    leaseMs: 1000,
    logouts: 1000,
  };

  test('a node: its logouts, its verifiers, their renewals', () => {
    const { nodeShare, relays, nodeBusyMs } = simulate(COSTS, loaded);
    expect(relays).toBe(0);
    expect(nodeShare).toBeCloseTo((50 * (200 + 250 * 20) + 250 * 4 * 30) / 1e6, 9);
    // Counted during the run, and not by the same formula: every logout costs work at both nodes, and 500 endings.
    expect(nodeBusyMs).toBeCloseTo(1000 * (2 * 0.2 + 500 * 0.02), 3);
  });

  test('a relay: its verifiers and their renewals, and the node has only the relays', () => {
    const { nodeShare, relayShare, relays } = simulate(COSTS, { ...loaded, relayFanOut: 50 });
    expect(relays).toBe(10);
    expect(nodeShare).toBeCloseTo((50 * (200 + 5 * 20) + 5 * 4 * 30) / 1e6, 9);
    expect(relayShare).toBeCloseTo((50 * (50 + 50 * 20) + 50 * 4 * 30) / 1e6, 9);
  });

  test('renewals that take half of a core make everything else on it take twice as long', () => {
    const half = { verifiers: 1000, leaseMs: (1000 * 4 * 30) / (0.5 * 1000) };
    const expected = 0.4 + 0.8 + (1000 * 0.02) / 0.5;
    expect(p50(half, { hopMs: 0, verifierMicros: 0 })).toBeCloseTo(expected, 6);
  });

  test('a busier core is slower, and a core that is too busy is reported', () => {
    const latency = (logoutsPerSecond: number): number | undefined =>
      simulate(COSTS, { ...loaded, logoutsPerSecond }).p99Ms;
    expect(latency(150)).toBeGreaterThan(latency(5) ?? Number.NaN);
    expect(latency(200)).toBeUndefined();
  });
});

test('the same seed gives the same figures, and another seed gives others', () => {
  const run = (seed: number): unknown =>
    simulate(COSTS, { ...QUIET, verifiers: 50, logoutsPerSecond: 100, seed });
  expect(run(1)).toEqual(run(1));
  expect(run(2)).not.toEqual(run(1));
});

test('unit costs are differences of what was measured, and incomplete results give none', () => {
  const results = {
    sections: [
      section('check', { 'curfew-jwt': { perSecond: 40_000 } }),
      section('local', {
        replica: { bytesEach: 20, residentBytesEach: 40 },
        'now-jwt-1000': { perSecond: 1e6 },
      }),
      section('logout', { 'curfew-jwt': { perSecond: 4000 } }),
      section('refresh', { 'curfew-refresh': { perSecond: 2000 } }),
      section('login', { 'curfew-login': { perSecond: 60 } }),
      section('listening', {
        'curfew-jwt-0': { nodeMicros: 200 },
        'curfew-jwt-100': { nodeMicros: 700 },
      }),
      section('propagation', {
        'redis-1-1': { propagationP50: 0.27, committedP50: 1 },
        'redis-3-1': { propagationP50: 0.77 },
        // 92 verifiers more: 20 and 50 µs each, and 0.04 renewals of 30 µs in ten milliseconds.
        'redis-1-8': { nodeMicros: 500, crowdMicros: 1000 },
        'redis-1-100': { nodeMicros: 500 + 92 * 21.2, crowdMicros: 1000 + 92 * 51.2, tookMs: 10 },
      }),
      section('idle-feeds', {
        'idle-0': { cpuPercent: 1 },
        'idle-1000': { cpuPercent: 13 },
      }),
    ],
  };
  const found = unitCosts(results);
  for (const [name, value] of Object.entries(COSTS))
    expect(found?.[name as keyof UnitCosts], name).toBeCloseTo(value, 9);
  expect(unitCosts({ sections: results.sections.slice(1) })).toBeUndefined();
});

function section(
  id: string,
  figures: Record<string, Record<string, number>>,
): { id: string; figures: { id: string; values: Record<string, number> }[] } {
  return { id, figures: Object.entries(figures).map(([figure, values]) => ({ id: figure, values })) };
}
