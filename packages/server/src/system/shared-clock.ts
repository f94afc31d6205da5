/**
 * The clock that dates sessions and tokens. Alone it is the machine's. Once set by a database that several machines share, it
 * continues by the monotonic clock: a wrong or moved machine clock then dates nothing wrongly, and no token outlives the endings
 * that are remembered.
 */
interface SharedClock {
  now(): Date;
  /**
   * Sets the clock: it was `ms`, in milliseconds since 1970, at some moment between these two of the monotonic clock. A clock
   * that agrees is left alone: a slow answer must not set it back, and a later session before an earlier one.
   */
  set(ms: number, fromMonotonicMs: number, toMonotonicMs: number): void;
}

export function createSharedClock(wallMs: () => number, monotonicMs: () => number): SharedClock {
  let aheadMs: number | null = null;
  return {
    now: () => new Date(aheadMs === null ? wallMs() : aheadMs + monotonicMs()),
    set(ms, fromMonotonicMs, toMonotonicMs) {
      const [least, most] = [ms - toMonotonicMs, ms - fromMonotonicMs];
      aheadMs = aheadMs === null ? (least + most) / 2 : Math.min(Math.max(aheadMs, least), most);
    },
  };
}
