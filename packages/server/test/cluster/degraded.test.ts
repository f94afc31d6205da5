/** The list of problems, at the border of each limit. */
import { describe, expect, test } from 'vitest';
import { findDegraded } from '../../src/cluster/state/degraded.ts';
import type { SystemState } from '@curfew/protocol/wire/system-state';
import type { World } from '../../src/world/world.ts';

type State = Omit<SystemState, 'degraded'>;

/** A state without any problem. */
const FINE = {
  node: { fresh: true },
  nodes: [{ silent: false }],
  verifiers: [],
  propagation: { spans: [] },
  readers: [],
  database: { kind: 'postgresql', answers: true, latency_ms: 100 },
  redis: 'none',
  passwords: { running: 2, waiting: 50 },
} as unknown as State;

const NOW = 1_800_000_000_000;

function world(more: { offMs?: number; database?: object; encryptionKey?: Buffer | null } = {}): World {
  const { offMs = 0, database = { kind: 'postgresql' }, encryptionKey = Buffer.alloc(32) } = more;
  return {
    config: { leaseMs: 1000, hashing: { queue: 100 }, database, encryptionKey },
    system: { now: () => new Date(NOW), wallMs: () => NOW + offMs },
  } as unknown as World;
}

const reader = (
  failures: number,
  oldest_ms: number | null,
  behind: number | null,
): State['readers'][number] => ({
  name: 'audit',
  behind,
  more: false,
  oldest_ms,
  failures,
  last_done: null,
});
const verifiers = (...ages: (number | null)[]): State['verifiers'] =>
  ages.map((age_ms) => ({ age_ms })) as State['verifiers'];
const spans = (...waitedOut: number[]): State['propagation'] =>
  ({ spans: waitedOut.map((waited_out) => ({ waited_out })) }) as State['propagation'];
const database = (answers: boolean, latency_ms: number | null): State['database'] => ({
  kind: 'postgresql',
  answers,
  latency_ms,
});
const trouble = (code: string, facts: object = {}): object => ({ code, level: 'trouble', facts });
const notice = (code: string): object => ({ code, level: 'notice', facts: {} });

describe('the list of problems', () => {
  test('is empty where every figure is at its limit', () => {
    expect(findDegraded(world(), FINE)).toEqual([]);
  });

  test.each<[string, Partial<State>, object[]]>([
    ['a database that is away', { database: database(false, 500) }, [trouble('database_away')]],
    ['a slow database', { database: database(true, 101) }, [trouble('database_slow', { ms: 101 })]],
    ['a database of which nothing was measured', { database: database(true, null) }, []],
    ['a node that is not fresh', { node: { fresh: false } as State['node'] }, [trouble('not_fresh')]],
    [
      'silent nodes',
      { nodes: [true, false, true].map((silent) => ({ silent })) as State['nodes'] },
      [trouble('node_silent', { count: 2 })],
    ],
    ['Redis away', { redis: 'away' }, [trouble('redis_away')]],
    ['Redis up', { redis: 'up' }, []],
    [
      'verifiers older than the lease',
      { verifiers: verifiers(1000, 1001, null, 5000) },
      [trouble('verifier_stale', { count: 2 })],
    ],
    ['verifiers of the lease, or of no age', { verifiers: verifiers(1000, null) }, []],
    [
      'a reader that fails, also when it is behind',
      { readers: [reader(1, 90_000, 5)] },
      [trouble('reader_failing', { name: 'audit', failures: 1 })],
    ],
    [
      'a reader that is behind',
      { readers: [reader(0, 30_600, 5)] },
      [trouble('reader_behind', { name: 'audit', count: 5, seconds: 31 })],
    ],
    [
      'a reader of half a minute, one without anything to read, one of which nothing is known',
      { readers: [reader(0, 30_000, 5), reader(0, 90_000, 0), reader(0, 90_000, null), reader(0, null, 5)] },
      [],
    ],
    [
      'replicas that were waited out in the latest twelve spans',
      { propagation: spans(1, ...Array.from<number>({ length: 10 }).fill(0), 2, 3) },
      [trouble('waited_out', { count: 5 })],
    ],
    [
      'replicas that were waited out before them',
      { propagation: spans(1, ...Array.from<number>({ length: 12 }).fill(0)) },
      [],
    ],
    [
      'more than half of the queue of logins',
      { passwords: { running: 2, waiting: 51 } },
      [trouble('logins_waiting', { count: 51 })],
    ],
  ])('%s', (_what, state, expected) => {
    expect(findDegraded(world(), { ...FINE, ...state })).toEqual(expected);
  });

  test.each([
    [5000, []],
    [-5000, []],
    [5001, [trouble('clock_off', { seconds: 5 })]],
    [-7600, [trouble('clock_off', { seconds: 8 })]],
  ])('names a clock that is %i ms off', (offMs, expected) => {
    expect(findDegraded(world({ offMs }), FINE)).toEqual(expected);
  });

  test.each<[string, Parameters<typeof world>[0], object[]]>([
    ['the embedded database', { database: { kind: 'embedded', fsync: true }, encryptionKey: null }, []],
    [
      'the embedded database without fsync',
      { database: { kind: 'embedded', fsync: false }, encryptionKey: null },
      [notice('embedded_without_fsync')],
    ],
    ['PostgreSQL with keys in clear', { encryptionKey: null }, [notice('keys_in_clear')]],
  ])('%s', (_what, setup, expected) => {
    expect(findDegraded(world(setup), FINE)).toEqual(expected);
  });

  test('has the gravest first', () => {
    const all = findDegraded(world({ offMs: 9000, encryptionKey: null }), {
      ...FINE,
      database: database(false, null),
      node: { fresh: false } as State['node'],
      redis: 'away',
    });
    expect(all.map(({ code }) => code)).toEqual([
      'database_away',
      'not_fresh',
      'redis_away',
      'clock_off',
      'keys_in_clear',
    ]);
  });
});
