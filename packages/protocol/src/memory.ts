import type { Verdict, Watched } from './replica.ts';

/** A credential that was judged once, and the session that it opens. */
export interface Known<T> {
  readonly text: string;
  readonly session: Watched;
  /** What the holder answers with. */
  readonly value: T;
  /** When the credential runs out, on the authority's clock, in milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** When it was asked for, on the holder's monotonic clock. */
  readonly askedMs: number;
  /** For how long an answer is believed; infinite for what a signature says. */
  readonly believedMs: number;
  readonly mark: number;
}

/**
 * Credentials by their text, bounded. An answer of the past: it counts only behind the judge, which knows what has ended since,
 * and only while the judge can prove that it is fresh.
 */
export class Memory<T> {
  readonly #capacity: number;
  readonly #judge: (session: Watched) => Verdict;
  readonly #monotonicMs: () => number;
  readonly #known = new Map<number, Known<T>>();
  /** User → the count of changes when the user was last changed. */
  readonly #changed = new Map<number, { count: number; heardMs: number }>();
  #changes = 0;
  /** What was asked before it is not believed, even when the answer comes later. */
  #forgotMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    capacity: number;
    judge: (session: Watched) => Verdict;
    monotonicMs: () => number;
  }) {
    this.#capacity = options.capacity;
    this.#judge = options.judge;
    this.#monotonicMs = options.monotonicMs;
  }

  get size(): number {
    return this.#known.size;
  }

  /** A mark to take before somebody is asked about a credential, for `remember`. */
  get mark(): number {
    return this.#changes;
  }

  /**
   * What is known of the credential: its session when that is alive for certain; `ended` when it is over for certain; `unsure`
   * when the judge is not fresh; null when nothing, or nothing that may be believed, is known.
   * @param nowMs the authority's clock
   */
  recall(text: string, nowMs: number): Known<T> | 'ended' | 'unsure' | null {
    const key = keyOf(text);
    const known = this.#known.get(key);
    if (known === undefined || known.text !== text) return null;
    const believed =
      nowMs < known.expiresAtMs &&
      known.askedMs > this.#forgotMs &&
      this.#monotonicMs() - known.askedMs < known.believedMs &&
      !this.changedSince(known.mark, known.session.facts.userId);
    if (!believed) {
      this.#known.delete(key);
      return null;
    }
    const verdict = this.#judge(known.session);
    if (verdict === 'alive') return known;
    if (verdict === 'ended') this.#known.delete(key);
    return verdict;
  }

  /** Keeps what somebody has just said, or a signature has proven. */
  remember(known: Known<T>): void {
    if (this.#known.size >= this.#capacity) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(keyOf(known.text), known);
  }

  /** What is shown of these users has changed: what was asked before is out of date. */
  change(userIds: readonly number[], believedMs: number): void {
    const heardMs = this.#monotonicMs();
    for (const userId of userIds) {
      this.#changed.delete(userId);
      this.#changed.set(userId, { count: ++this.#changes, heardMs });
    }
    for (const [userId, change] of this.#changed) {
      if (heardMs - change.heardMs <= 2 * believedMs) break;
      this.#changed.delete(userId);
    }
  }

  /** Whether the user was changed after the mark. */
  changedSince(mark: number, userId: number): boolean {
    return this.#changed.size > 0 && (this.#changed.get(userId)?.count ?? 0) > mark;
  }

  /** Forgets everything, and what is under way: after a time in which endings may have been missed. */
  forget(): void {
    this.#known.clear();
    this.#forgotMs = this.#monotonicMs();
  }
}

/**
 * A hash of a credential's end, which is random in every credential of ours: a signature or a secret. Hashing the whole
 * text would cost more than everything else that a check does; the text itself is compared. Of two that meet, the younger stays.
 */
function keyOf(text: string): number {
  let key = 0;
  for (let i = Math.max(0, text.length - 9); i < text.length; i++)
    key = (Math.imul(key, 31) + text.charCodeAt(i)) & 0x3fffffff;
  return key;
}
