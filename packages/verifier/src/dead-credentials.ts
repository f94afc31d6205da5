import { createHash } from 'node:crypto';

/**
 * How long a refusal of the authority is remembered. A logout is final; but a session that ran idle comes back when its last use,
 * sent by another verifier, reaches the database a moment later.
 */
const REMEMBERED_MS = 1000;

/**
 * Credentials that the authority has just refused, so that a client that goes on using one costs no question each time. Bounded,
 * the oldest go first. Stored as hashes, because anybody can send texts of any length.
 */
export class DeadCredentials {
  readonly #capacity: number;
  /** Hash → expiry on the process's monotonic clock, in order of arrival. */
  readonly #until = new Map<string, number>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#until.size;
  }

  has(text: string, nowMs: number): boolean {
    if (this.#until.size === 0) return false;
    const until = this.#until.get(hash(text));
    return until !== undefined && nowMs < until;
  }

  forget(): void {
    this.#until.clear();
  }

  add(text: string, nowMs: number): void {
    for (const [oldest, until] of this.#until) {
      if (until > nowMs && this.#until.size < this.#capacity) break;
      this.#until.delete(oldest);
    }
    const key = hash(text);
    this.#until.delete(key);
    this.#until.set(key, nowMs + REMEMBERED_MS);
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('base64');
