import type { Verdict, Watched } from './replica.ts';

/** A credential that was judged once, and its session. */
export interface Known<T> {
  readonly text: string;
  readonly session: Watched;
  /** The holder's own data, which `recall` returns. */
  readonly value: T;
  /** When the credential expires, by the authority's clock, in milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** When it was asked about, on the holder's monotonic clock. */
  readonly askedMs: number;
  /** How long an answer is valid; infinite for the proof of a signature. */
  readonly believedMs: number;
  readonly mark: number;
}

/**
 * A bounded memory of credentials by their text. Its answers are of the past: they count only behind the judge, which knows later
 * endings, and only while the judge is fresh.
 */
export class Memory<T> {
  readonly #capacity: number;
  readonly #judge: (session: Watched) => Verdict;
  readonly #monotonicMs: () => number;
  readonly #known = new Map<number, Known<T>>();
  /** Subject → the count of changes at the user's last change. */
  readonly #changed = new Map<string, { count: number; heardMs: number }>();
  #changes = 0;
  /** Answers to questions from before this mark are not accepted, however late they come. */
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

  /** A mark to take before asking about a credential, for `remember`. */
  get mark(): number {
    return this.#changes;
  }

  /**
   * Looks a credential up: the known session while it is certainly alive; `ended` when it certainly is not; `unsure` while the
   * judge is not fresh; null when nothing valid is known.
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
      !this.changedSince(known.mark, known.session.facts.subject);
    if (!believed) {
      // An answer that is only too old still says whose credential it is.
      if (nowMs >= known.expiresAtMs) this.#known.delete(key);
      return null;
    }
    const verdict = this.#judge(known.session);
    if (verdict === 'alive') return known;
    if (verdict === 'ended') this.#known.delete(key);
    return verdict;
  }

  /** The session of a credential that has not expired, however old the answer is; null when it is not known. */
  sessionOf(text: string, nowMs: number): Watched | null {
    const known = this.#known.get(keyOf(text));
    return known?.text === text && nowMs < known.expiresAtMs ? known.session : null;
  }

  /** Stores an answer of the authority, or the proof of a signature. */
  remember(known: Known<T>): void {
    if (this.#known.size >= this.#capacity) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(keyOf(known.text), known);
  }

  /** The data of these users has changed: earlier answers are out of date. */
  change(subjects: readonly string[], believedMs: number): void {
    const heardMs = this.#monotonicMs();
    for (const subject of subjects) {
      this.#changed.delete(subject);
      this.#changed.set(subject, { count: ++this.#changes, heardMs });
    }
    for (const [subject, change] of this.#changed) {
      if (heardMs - change.heardMs <= 2 * believedMs) break;
      this.#changed.delete(subject);
    }
  }

  /** Whether the user was changed after the mark. */
  changedSince(mark: number, subject: string): boolean {
    return this.#changed.size > 0 && (this.#changed.get(subject)?.count ?? 0) > mark;
  }

  /** Forgets everything, also answers under way: endings may have been missed. */
  forget(): void {
    this.#known.clear();
    this.#forgotMs = this.#monotonicMs();
  }
}

/**
 * Hashes the end of a credential, which is random in every one (a signature or a secret). Hashing the whole text would cost more
 * than the rest of a check. The text itself is compared; of two that collide the younger stays.
 */
function keyOf(text: string): number {
  let key = 0;
  for (let i = Math.max(0, text.length - 9); i < text.length; i++)
    key = (Math.imul(key, 31) + text.charCodeAt(i)) & 0x3fffffff;
  return key;
}
