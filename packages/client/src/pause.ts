export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A random pause before the nth retry, up to a bound that doubles, so that many clients spread out. */
export const backoffMs = (nth: number, atMostMs: number): number =>
  Math.random() * Math.min(atMostMs, 500 * 2 ** nth);
