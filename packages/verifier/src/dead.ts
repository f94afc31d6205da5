import { createHash } from 'node:crypto';

/**
 * For how long the authority's no is remembered. What is logged out stays so; but a session that has run idle comes back when its
 * last use, told by another verifier, reaches the database a moment later.
 */
const REMEMBERED_MS = 1000;

/**
 * Credentials of which the authority has just said that they open nothing: a client that goes on using its old one need not be
 * asked about each time. Bounded, the oldest go first. Kept by their hashes: anybody can send texts, of any length.
 */
export class DeadCredentials {
  readonly #capacity: number;
  /** Hash → until when, on the process's monotonic clock; in the order in which they came. */
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
