import { marginMs } from '@curfew/protocol/freshness';
import { Random } from './random.ts';

/** All faults. Each seed has some of them. */
export const FAULTS = [
  'drift',
  'wall-jumps',
  'authority-jumps',
  'pauses',
  'stops',
  'sleeps',
  'crashes',
  'closings',
  'ring-loss',
  'ring-duplicates',
  'ring-delays',
  'partitions',
  'slow-database',
  'late-commits',
  'failing-statements',
  'lost-answers',
  'outages',
  'cut-offs',
  'feed-breaks',
  'half-open',
  'feed-delays',
  'feed-disorder',
  'slow-snapshots',
  'answers-lost',
  'expiry',
  'codec',
  'going-back',
  'thrown',
  'lives',
] as const;
export type Fault = (typeof FAULTS)[number];

/** In few seeds, because it is rare in reality. */
const RARE: ReadonlySet<Fault> = new Set(['feed-disorder', 'expiry', 'authority-jumps']);

/** How often, and the stream that says so: seeds without them do not change when they are added. */
const APART: Partial<Record<Fault, { share: number; stream: number }>> = {
  'going-back': { share: 0.08, stream: 0x2545f491 },
  lives: { share: 0.08, stream: 0x1b873593 },
};

/** The faults that every seed about the registry has. */
const REGISTRY: ReadonlySet<Fault> = new Set(['cut-offs', 'slow-database']);

/** The faults that cannot happen to the embedded database, which ends with its one node. */
const NOT_EMBEDDED: ReadonlySet<Fault> = new Set([
  'late-commits',
  'lost-answers',
  'outages',
  'cut-offs',
  'slow-database',
  'going-back',
]);

/** What a seed decides before anything happens. */
export interface Plan {
  readonly seed: number;
  readonly leaseMs: number;
  readonly waitMs: number;
  /** For how long endings are kept while tokens live no longer than this. */
  readonly keepMs: (lifeMs: number) => number;
  readonly tokenLifeMs: number;
  /** The life that tokens have in between, in seeds that change it. */
  readonly longerLifeMs: number;
  /** For how long a process uses an answer about an opaque credential, after a look at the endings. */
  readonly believedMs: number;
  readonly nodes: number;
  readonly verifiers: number;
  /** From this instant on there are no more faults. */
  readonly healMs: number;
  readonly endMs: number;
  readonly faults: readonly Fault[];
  /** The most endings that one read of the log returns. */
  readonly pageSize: number;
  /** Whether the seed is mostly about the registry: nodes that cannot reach it for long, and come back. */
  readonly registry: boolean;
  /** One node with the embedded database. Its memory is always fresh, and another node may follow it, but not run beside it. */
  readonly sole: boolean;
  has(fault: Fault): boolean;
}

export function makePlan(seed: number, without: readonly Fault[]): Plan {
  const random = new Random(seed ^ 0x5bd1e995);
  const calm = random.chance(0.03);
  const registry = random.chance(0.1);
  const sole = !registry && random.chance(0.08);
  const share = registry ? random.between(0, 0.3) : random.between(0.15, 0.7);
  const faults = new Set<Fault>();
  for (const fault of FAULTS) {
    const apart = APART[fault];
    if (apart) {
      if (!calm && new Random(seed ^ apart.stream).chance(apart.share)) faults.add(fault);
      continue;
    }
    if ((random.chance(RARE.has(fault) ? 0.08 : share) && !calm) || (registry && REGISTRY.has(fault)))
      faults.add(fault);
  }
  const lives = faults.has('lives');
  // Nothing says which life a lost history had.
  if (lives) faults.add('expiry').delete('going-back');
  for (const fault of [...without, ...(sole ? NOT_EMBEDDED : [])]) faults.delete(fault);
  if (!faults.has('expiry')) faults.delete('lives');
  const leaseMs = random.pick([150, 400, 1000, 1000, 3000]);
  const expiry = faults.has('expiry');
  // If the clock that dates tokens goes back by hours, tokens live hours longer, and endings must be kept as long.
  if (expiry) faults.delete('authority-jumps');
  const tokenLifeMs = (expiry ? random.between(2, 5) * leaseMs : 3_600_000) * (lives ? 0.5 : 1);
  // Long enough for an ending to be dropped while a longer token of its session lives.
  const healLeases = (registry ? random.between(14, 20) : random.between(4, 10)) + (lives ? 8 : 0);
  const healMs = healLeases * leaseMs;
  return {
    seed,
    leaseMs,
    waitMs: leaseMs + marginMs(leaseMs),
    // A verifier's estimate of the authority's clock is behind by less than a lease; see `authorityNowMs`.
    keepMs: (lifeMs) => (expiry ? lifeMs * 1.03 + 2 * leaseMs + 100 : 86_400_000),
    tokenLifeMs,
    longerLifeMs: faults.has('lives') ? tokenLifeMs + random.between(8, 16) * leaseMs : tokenLifeMs,
    believedMs: Math.min(60_000, tokenLifeMs),
    nodes: sole ? 1 : registry ? random.pick([2, 3]) : random.pick([1, 2, 2, 3]),
    verifiers: sole || lives ? random.pick([1, 2, 3]) : random.pick([0, 1, 2, 2, 3]),
    healMs,
    endMs: healMs + 7 * leaseMs,
    faults: [...faults],
    pageSize: random.pick([1, 2, 5, 1000]),
    registry,
    sole,
    has: (fault) => faults.has(fault),
  };
}
