/**
 * The clock by which sessions and tokens are dated. Alone it is the machine's. Once it has been set, by a database that several
 * machines share, it goes on from there by the monotonic clock: a machine whose clock is wrong, or is put forward or back,
 * then dates nothing wrongly, and no token outlives what is remembered of its session.
 */
export interface SharedClock {
  now(): Date;
  /** It was `ms`, in milliseconds since 1970, when the monotonic clock said `atMonotonicMs`. */
  set(ms: number, atMonotonicMs: number): void;
}

export function createSharedClock(wallMs: () => number, monotonicMs: () => number): SharedClock {
  let aheadMs: number | null = null;
  return {
    now: () => new Date(aheadMs === null ? wallMs() : aheadMs + monotonicMs()),
    set(ms, atMonotonicMs) {
      aheadMs = ms - atMonotonicMs;
    },
  };
}
