/** For how long the authority's no is remembered. It would hold for ever; this bounds what one mistaken answer can do. */
const REMEMBERED_MS = 5000;

/**
 * Credentials of which the authority has said that they open nothing. None that is over, or was never given out, comes to
 * life, so a client that goes on using its old one need not be asked about each time. Bounded, the oldest go first.
 */
export class DeadCredentials {
  readonly #capacity: number;
  /** Text → until when, on the process's monotonic clock; in the order in which they came. */
  readonly #until = new Map<string, number>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#until.size;
  }

  has(text: string, nowMs: number): boolean {
    const until = this.#until.get(text);
    return until !== undefined && nowMs < until;
  }

  add(text: string, nowMs: number): void {
    for (const [oldest, until] of this.#until) {
      if (until > nowMs && this.#until.size < this.#capacity) break;
      this.#until.delete(oldest);
    }
    this.#until.delete(text);
    this.#until.set(text, nowMs + REMEMBERED_MS);
  }
}
