export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** How long to wait before the nth repetition: anything up to a bound that doubles, so that a crowd spreads out. */
export const backoffMs = (nth: number, atMostMs: number): number =>
  Math.random() * Math.min(atMostMs, 500 * 2 ** nth);
