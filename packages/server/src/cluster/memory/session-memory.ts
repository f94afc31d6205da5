import { Memory } from '@curfew/protocol/memory';
import { type Verdict, type Watched, watch } from '@curfew/protocol/replica';
import type { LiveSession } from '../../domain/session.ts';
import type { System } from '../../system/system.ts';

/** What is loaded is believed for at most this long, however fresh the memory is. */
export const BELIEVED_MS = 60_000;

/** Credentials of which it is certain that they are over for good; some 700 bytes each. */
const OVER_CAPACITY = 50_000;

/** A credential that was judged by the database, and its session. */
export interface Remembered {
  readonly session: LiveSession;
  /** Milliseconds since 1970 at which the credential itself runs out. */
  readonly expiresAtMs: number;
  idleUntilMs: number;
  /** Room for what the checker has prepared to answer with. */
  answer: unknown;
}

/** A credential that nothing can bring back. */
export interface Over {
  /** Room for what the checker has prepared to refuse it with. */
  refusal: unknown;
}

/** Who knows what has ended: the node. */
export interface Judge {
  /** The node's word on a session, with a look at its lease. */
  judge(session: Watched): Verdict;
  /** Whether an ending that this process knows of ends the session. */
  ends(session: Watched): boolean;
}

/**
 * Live sessions by credential, in this process. An answer of the past: used only while the node is fresh, and only
 * behind what it knows of endings. Whatever is in doubt is no answer, and the database is asked.
 */
export class SessionMemory {
  readonly #memory: Memory<Remembered>;
  readonly #system: System;
  readonly #judge: Judge;
  /** Credentials that nothing can bring back: run out, or of a session that has ended. */
  readonly #over = new Map<string, Over>();
  #forgotMs = Number.NEGATIVE_INFINITY;
  /** Sessions used since the last flush: sid → milliseconds since 1970. */
  #used = new Map<string, number>();

  constructor(system: System, capacity: number, judge: Judge) {
    this.#system = system;
    this.#judge = judge;
    this.#memory = new Memory({
      capacity,
      judge: (session) => judge.judge(session),
      monotonicMs: system.monotonicMs,
    });
  }

  /** A mark to take before the database is asked, for `remember`. */
  get mark(): number {
    return this.#memory.mark;
  }

  /** The live session that the credential opens, when that is certain without asking the database. */
  recall(text: string, use: boolean): Remembered | undefined {
    const nowMs = this.#system.now().getTime();
    const known = this.#memory.recall(text, nowMs);
    if (known === 'ended') this.bury(text);
    if (known === null || known === 'ended' || known === 'unsure') return undefined;
    if (nowMs >= known.value.idleUntilMs) return undefined;
    if (use) this.#touch(known.value, nowMs);
    return known.value;
  }

  /**
   * The credential is over for good, and need never be asked about again. Only of what we once gave out: a text that was made up
   * must not crowd that out.
   * @param askedMs when the database was asked that says so
   */
  bury(text: string, askedMs: number = this.#system.monotonicMs()): void {
    if (askedMs < this.#forgotMs) return;
    if (this.#over.size >= OVER_CAPACITY) {
      const [oldest] = this.#over.keys();
      if (oldest !== undefined) this.#over.delete(oldest);
    }
    // A copy: the text may be a slice that keeps its whole header in memory.
    this.#over.set(Buffer.from(text).toString(), { refusal: undefined });
  }

  /** What is known of a credential that is over for good. */
  over(text: string): Over | undefined {
    return this.#over.get(text);
  }

  /** Keeps what the database has just said. `mark` and `askedMs` are from before it was asked. */
  remember(
    text: string,
    session: LiveSession,
    expiresAtMs: number,
    mark: number,
    askedMs: number,
  ): Remembered {
    const value = {
      session,
      expiresAtMs: Math.min(expiresAtMs, session.expiresAt.getTime()),
      idleUntilMs: session.idleExpiresAt.getTime(),
      answer: undefined,
    };
    this.#memory.remember({
      text,
      session: watch(session),
      value,
      expiresAtMs: value.expiresAtMs,
      askedMs,
      believedMs: BELIEVED_MS,
      mark,
    });
    return value;
  }

  /** A session was used, whether memory answered or the database, here or at a verifier. */
  use(sid: string, atMs: number = this.#system.now().getTime()): void {
    this.#used.set(sid, Math.max(atMs, this.#used.get(sid) ?? 0));
  }

  #touch(known: Remembered, nowMs: number): void {
    const { session } = known;
    known.idleUntilMs = Math.min(nowMs + session.idleSeconds * 1000, session.expiresAt.getTime());
    this.#used.set(session.sid, nowMs);
  }

  /** What is shown of these users has changed. */
  change(userIds: readonly number[]): void {
    this.#memory.change(userIds, BELIEVED_MS);
  }

  /** Whether an ending that this process knows of says that the session is over, or its user has changed since. */
  isOutdated(session: LiveSession, mark: number): boolean {
    return this.#judge.ends(watch(session)) || this.#memory.changedSince(mark, session.userId);
  }

  /** Forgets everything: after a time in which endings may have been missed, or the database may have gone back. */
  forget(): void {
    this.#memory.forget();
    this.#over.clear();
    this.#forgotMs = this.#system.monotonicMs();
  }

  /** Hands over which sessions were used since the last call. */
  takeActivity(): { sid: string; seen: Date }[] {
    const used = this.#used;
    this.#used = new Map();
    return [...used].map(([sid, ms]) => ({ sid, seen: new Date(ms) }));
  }

  /** Takes back what could not be written. */
  giveBackActivity(activity: readonly { sid: string; seen: Date }[]): void {
    for (const { sid, seen } of activity) this.use(sid, seen.getTime());
  }

  get size(): number {
    return this.#memory.size;
  }

  /** How many credentials are known to be over. */
  get buried(): number {
    return this.#over.size;
  }
}
