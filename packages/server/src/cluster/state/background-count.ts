import type { System } from '../../system/system.ts';

/** A count that takes long where there is much to count. */
export interface Counted<T> {
  value: T;
  at: Date;
}

/** It takes a twentieth of the time at most, and is never done more often than this. */
const EVERY_MS = 10_000;
const SHARE = 20;

/** Counts in the background, when somebody asks and the last time is a while ago. @returns what was last counted */
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
        .catch((err: unknown) => system.log.info({ err }, 'the live sessions could not be counted'))
        .finally(() => {
          const endedMs = system.monotonicMs();
          nextMs = endedMs + Math.max(EVERY_MS, SHARE * (endedMs - beganMs));
        });
    }
    return counted;
  };
}
