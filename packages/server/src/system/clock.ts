/**
 * The clock by which sessions and tokens are dated. Alone it is the machine's. Once it has been set, by a database that several
 * machines share, it goes on from there by the monotonic clock: a machine whose clock is wrong, or is put forward or back,
 * then dates nothing wrongly, and no token outlives what is remembered of its session.
 */
interface SharedClock {
  now(): Date;
  /**
   * It was `ms`, in milliseconds since 1970, at some moment between these two of the monotonic clock. A clock that
   * agrees with that is left as it is: a slow answer must not put it back, and a later session before an earlier one.
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
