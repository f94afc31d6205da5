import { EndedSet } from '../domain/ended.ts';
import type { LiveSession } from '../domain/session.ts';
import type { LogEvent } from '../store/log.ts';
import type { System } from '../system/system.ts';

/** What is loaded is believed for at most this long, however fresh the memory is. */
const BELIEVED_MS = 60_000;
/** Endings are remembered for at least one and at most two of these: longer than anything loaded is believed. */
const GENERATION_MS = 2 * BELIEVED_MS;

/** A credential that was judged by the database, and its session. */
export interface Remembered {
  readonly session: LiveSession;
  /** Milliseconds since 1970 at which the credential itself runs out. */
  readonly expiresAtMs: number;
  idleUntilMs: number;
  readonly mark: number;
  readonly loadedAtMs: number;
  /** Room for what the checker has prepared to answer with. */
  answer: unknown;
}

/**
 * Live sessions by credential, in this process. An answer of the past: used only while the node is fresh, and only
 * behind the set of endings. Whatever is in doubt is no answer, and the database is asked.
 */
export class SessionMemory {
  readonly #byText = new Map<string, Remembered>();
  readonly #ended = new EndedSet();
  readonly #system: System;
  readonly #capacity: number;
  readonly #isFresh: () => boolean;
  #agedAtMs: number;
  /** What was asked before it is not believed, even when the answer comes later. */
  #forgotAtMs = Number.NEGATIVE_INFINITY;
  /** Sessions used since the last flush: sid → milliseconds since 1970. */
  #used = new Map<string, number>();

  constructor(system: System, capacity: number, isFresh: () => boolean) {
    this.#system = system;
    this.#capacity = capacity;
    this.#isFresh = isFresh;
    this.#agedAtMs = system.monotonicMs();
  }

  /** A mark to take before the database is asked, for `remember`. */
  get mark(): number {
    return this.#ended.mark;
  }

  /** The live session that the credential opens, when that is certain without asking the database. */
  recall(text: string, use: boolean): Remembered | undefined {
    const known = this.#byText.get(text);
    if (known === undefined) return undefined;
    const nowMs = this.#system.now().getTime();
    const believed =
      !this.#ended.has(known.session) &&
      !this.#ended.changedSince(known.mark, known.session.userId) &&
      nowMs < known.expiresAtMs &&
      nowMs < known.idleUntilMs &&
      known.loadedAtMs > this.#forgotAtMs &&
      this.#system.monotonicMs() - known.loadedAtMs < BELIEVED_MS;
    if (!believed) {
      this.#byText.delete(text);
      return undefined;
    }
    // Last, not first: a process that was suspended in the lines above finds its lease over here.
    if (!this.#isFresh()) return undefined;
    if (use) this.#touch(known, nowMs);
    return known;
  }

  /** Keeps what the database has just said. `mark` is from before it was asked. */
  remember(
    text: string,
    session: LiveSession,
    expiresAtMs: number,
    mark: number,
    loadedAtMs: number,
  ): Remembered {
    const known: Remembered = {
      session,
      expiresAtMs: Math.min(expiresAtMs, session.expiresAt.getTime()),
      idleUntilMs: session.idleExpiresAt.getTime(),
      mark,
      loadedAtMs,
      answer: undefined,
    };
    if (this.#byText.size >= this.#capacity) {
      const [oldest] = this.#byText.keys();
      if (oldest !== undefined) this.#byText.delete(oldest);
    }
    this.#byText.set(text, known);
    return known;
  }

  /** A session was used now, whether memory answered or the database. */
  use(session: LiveSession): void {
    this.#used.set(session.sid, this.#system.now().getTime());
  }

  #touch(known: Remembered, nowMs: number): void {
    known.idleUntilMs = Math.min(nowMs + known.session.idleSeconds * 1000, known.session.expiresAt.getTime());
    this.#used.set(known.session.sid, nowMs);
  }

  /** Takes an ending in: from here on no answer is given for whom it ends. */
  apply(event: LogEvent): void {
    const nowMs = this.#system.monotonicMs();
    if (nowMs - this.#agedAtMs > GENERATION_MS) {
      this.#ended.age();
      this.#agedAtMs = nowMs;
    }
    this.#ended.add(event);
  }

  /** Whether an ending that this process knows of says that the session is over, or its user has changed since. */
  isOutdated(session: LiveSession, mark: number): boolean {
    return this.#ended.has(session) || this.#ended.changedSince(mark, session.userId);
  }

  /** Forgets every session: after a time in which endings may have been missed. */
  forget(): void {
    this.#byText.clear();
    this.#forgotAtMs = this.#system.monotonicMs();
  }

  /** Hands over which sessions were used since the last call. */
  takeActivity(): { sid: string; seen: Date }[] {
    const used = this.#used;
    this.#used = new Map();
    return [...used].map(([sid, ms]) => ({ sid, seen: new Date(ms) }));
  }

  /** Takes back what could not be written. */
  giveBackActivity(activity: readonly { sid: string; seen: Date }[]): void {
    for (const { sid, seen } of activity)
      this.#used.set(sid, Math.max(seen.getTime(), this.#used.get(sid) ?? 0));
  }

  get size(): number {
    return this.#byText.size;
  }
}
