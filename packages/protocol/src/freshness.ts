import type { Instant } from './clock.ts';

/**
 * What a replica knows, as of when. It is *fresh as of f*: it holds every ending that was committed before the instant f of
 * this process's monotonic clock. It may answer from memory at t only while t - f is less than the lease.
 */
export class Freshness {
  readonly #leaseMs: number;
  #asOfMs = Number.NEGATIVE_INFINITY;
  #asOfWallMs = 0;

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /**
   * What was asked for at an instant has been answered, with everything that had been committed `ageMs` before it: the
   * instant of asking counts, never that of the answer.
   */
  prove(asked: Instant, ageMs: number): void {
    const asOfMs = asked.monotonicMs - ageMs;
    if (asOfMs <= this.#asOfMs) return;
    this.#asOfMs = asOfMs;
    this.#asOfWallMs = asked.wallMs - ageMs;
  }

  /** Look here after the look into the replica: a process that was suspended between the two finds its lease over. */
  isFresh(now: Instant): boolean {
    return this.ageMs(now) < this.#leaseMs;
  }

  /**
   * Milliseconds since the instant f; infinite before the first proof. A monotonic clock may stand still while the machine
   * sleeps, so the wall clock is looked at as well; it can only make older.
   */
  ageMs(now: Instant): number {
    return Math.max(now.monotonicMs - this.#asOfMs, Math.abs(now.wallMs - this.#asOfWallMs));
  }
}

/**
 * How much longer than the lease is waited, because two machines' clocks run apart by a hundredth or so: a twentieth of
 * it, and at least 20 ms.
 */
export const marginMs = (leaseMs: number): number => Math.max(20, leaseMs * 0.05);
