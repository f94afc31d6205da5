import type { Instant } from './clock.ts';

/**
 * How current a replica is. It is *fresh as of f* when it holds every ending committed before the instant f of this process's
 * monotonic clock, and may answer from memory at t only while t - f is less than the lease.
 */
export class Freshness {
  readonly #leaseMs: number;
  #asOfMs = Number.NEGATIVE_INFINITY;
  #asOfWallMs = 0;

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /**
   * Takes a proof: the answer to a question of an instant holds every ending committed `ageMs` before the instant. The time of
   * the answer does not count.
   */
  prove(asked: Instant, ageMs: number): void {
    const asOfMs = asked.monotonicMs - ageMs;
    if (asOfMs <= this.#asOfMs) return;
    this.#asOfMs = asOfMs;
    this.#asOfWallMs = asked.wallMs - ageMs;
  }

  /** Call it after the look into the replica: a process that was suspended in between then finds its lease expired. */
  isFresh(now: Instant): boolean {
    return this.ageMs(now) < this.#leaseMs;
  }

  /**
   * Milliseconds since the instant f; infinite before the first proof. The monotonic clock may stop while the machine sleeps, so
   * the wall clock counts too, where it says more.
   */
  ageMs(now: Instant): number {
    return Math.max(now.monotonicMs - this.#asOfMs, Math.abs(now.wallMs - this.#asOfWallMs));
  }
}

/**
 * The extra wait after a lease, because two machines' clocks drift apart by a hundredth or so: a twentieth of the lease, at least
 * 20 ms.
 */
export const marginMs = (leaseMs: number): number => Math.max(20, leaseMs * 0.05);
