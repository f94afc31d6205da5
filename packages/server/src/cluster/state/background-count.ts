import type { System } from '../../system/system.ts';

/** A count that takes long where there is much to count. */
export interface Counted<T> {
  value: T;
  at: Date;
}

/** It takes a twentieth of the time at most, and never runs more often than this. */
const EVERY_MS = 10_000;
const SHARE = 20;

/** Counts in the background, on request and when the last count is old. @returns the last count */
export function countInBackground<T>(
  system: System,
  count: (now: Date) => Promise<T>,
): () => Counted<T> | null {
  let counted: Counted<T> | null = null;
  let nextMs = Number.NEGATIVE_INFINITY;
  return () => {
    const beganMs = system.monotonicMs();
    if (beganMs >= nextMs) {
      nextMs = Number.POSITIVE_INFINITY;
      const now = system.now();
      count(now)
        .then((value) => {
          counted = { value, at: now };
        })
        .catch((err: unknown) => system.log.info({ err }, 'could not count the live sessions'))
        .finally(() => {
          const endedMs = system.monotonicMs();
          nextMs = endedMs + Math.max(EVERY_MS, SHARE * (endedMs - beganMs));
        });
    }
    return counted;
  };
}
