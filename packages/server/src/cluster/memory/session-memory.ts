import { Memory } from '@curfew/protocol/memory';
import { type Verdict, type Watched, watch } from '@curfew/protocol/replica';
import type { LiveSession } from '../../domain/session.ts';
import type { SessionUse } from '../../store/session-upkeep.ts';
import type { System } from '../../system/system.ts';

/** A loaded session is used for at most this long, however fresh the memory is. */
export const BELIEVED_MS = 60_000;

/** Credentials that are certainly dead for good; about 700 bytes each. */
const OVER_CAPACITY = 50_000;

/**
 * Uses that wait for the flush, of the verifiers of one key; about 200 bytes each. A verifier can name sessions that do not exist,
 * and only the database can tell.
 */
export const REPORTED_CAPACITY = 200_000;

/** A UUID. */
const SID_CHARACTERS = 36;

/** Who reports that sessions were used: an API key of verifiers, by its id; null: the service keys of the settings. */
interface Reporter {
  readonly keyId: number | null;
  /** Only sessions of this audience count; null: all. */
  readonly audience: string | null;
}

/** A use that waits to be written. */
interface WaitingUse extends SessionUse {
  /** Undefined: this node has seen the use itself. */
  readonly reporter?: number | null;
}

/** A credential that the database judged, and its session. */
export interface Remembered {
  readonly session: LiveSession;
  /** When the credential itself expires, in milliseconds since 1970. */
  readonly expiresAtMs: number;
  idleUntilMs: number;
  /** For the checker's prepared answer. */
  answer: unknown;
}

/** A credential that is dead for good. */
export interface EndedCredential {
  /** For the checker's prepared refusal. */
  refusal: unknown;
}

/** The node, which knows the endings. */
export interface Judge {
  /** The node's verdict on a session, with its lease. */
  judge(session: Watched): Verdict;
  /** Whether an ending known to this process ends the session. */
  ends(session: Watched): boolean;
}

/**
 * Live sessions by credential, in this process. They are answers of the past: used only while the node is fresh, and only behind
 * its endings. In doubt the database is asked.
 */
export class SessionMemory {
  readonly #memory: Memory<Remembered>;
  readonly #system: System;
  readonly #judge: Judge;
  /** Credentials that are dead for good: expired, or of an ended session. */
  readonly #over = new Map<string, EndedCredential>();
  #forgotMs = Number.NEGATIVE_INFINITY;
  /** Sessions used since the last flush, as this node has seen: sid → milliseconds since 1970. */
  #used = new Map<string, number>();
  /**
   * Those that verifiers report, by the id of the verifiers' key: sid, and the audience that the use is bound to → milliseconds
   * since 1970. Each key has its own, so that one key's inventions displace no other's reports.
   */
  #reported = new Map<number | null, Map<string, number>>();
  /** Reporters whose reports were dropped since the last flush. */
  #dropping = new Set<number | null>();

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

  /** The live session of the credential, when that is certain without the database. */
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
   * The credential is dead for good, and need not be looked up again. For genuine credentials only: invented texts must not
   * displace them.
   * @param askedMs when the database was asked
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

  /** The record of a credential that is dead for good. */
  over(text: string): EndedCredential | undefined {
    return this.#over.get(text);
  }

  /** Stores the database's answer. `mark` and `askedMs` are from before the question. */
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

  /** A session was used, as memory or the database has seen. */
  use(sid: string, atMs: number = this.#system.now().getTime()): void {
    this.#used.set(sid, Math.max(atMs, this.#used.get(sid) ?? 0));
  }

  /** Verifiers report that a session was used. A key's reports beyond REPORTED_CAPACITY are dropped. */
  report(sid: string, atMs: number, { keyId, audience }: Reporter): void {
    let reports = this.#reported.get(keyId);
    if (!reports) this.#reported.set(keyId, (reports = new Map()));
    const key = audience === null ? sid : `${sid} ${audience}`;
    const known = reports.get(key);
    if (known === undefined && reports.size >= REPORTED_CAPACITY) return this.#drop(keyId);
    reports.set(key, Math.max(atMs, known ?? 0));
  }

  #drop(keyId: number | null): void {
    if (this.#dropping.has(keyId)) return;
    this.#dropping.add(keyId);
    this.#system.log.warn(
      { key_id: keyId, limit: REPORTED_CAPACITY },
      'the verifiers of this key report the use of too many sessions: further ones are ignored until these are written',
    );
  }

  #touch(known: Remembered, nowMs: number): void {
    const { session } = known;
    known.idleUntilMs = Math.min(nowMs + session.idleSeconds * 1000, session.expiresAt.getTime());
    this.#used.set(session.sid, nowMs);
  }

  /** The data of these users has changed. */
  change(subjects: readonly string[]): void {
    this.#memory.change(subjects, BELIEVED_MS);
  }

  /** Whether an ending known to this process ends the session, or its user has changed since. */
  isOutdated(session: LiveSession, mark: number): boolean {
    return this.#judge.ends(watch(session)) || this.#memory.changedSince(mark, session.subject);
  }

  /** Forgets everything: endings may have been missed, or the database may have gone back. */
  forget(): void {
    this.#memory.forget();
    this.#over.clear();
    this.#forgotMs = this.#system.monotonicMs();
  }

  /** Returns the sessions used since the last call. */
  takeActivity(): WaitingUse[] {
    const [used, reported] = [this.#used, this.#reported];
    this.#used = new Map();
    this.#reported = new Map();
    this.#dropping.clear();
    const taken: WaitingUse[] = [...used].map(([sid, ms]) => ({ sid, seen: new Date(ms), audience: null }));
    for (const [reporter, reports] of reported)
      for (const [key, ms] of reports) taken.push({ ...reportOf(key, ms), reporter });
    return taken;
  }

  /** Takes back what could not be written. Of reports as many as there is room for. */
  giveBackActivity(activity: readonly WaitingUse[]): void {
    for (const { sid, seen, audience, reporter } of activity)
      if (reporter === undefined) this.use(sid, seen.getTime());
      else this.report(sid, seen.getTime(), { keyId: reporter, audience });
  }

  get size(): number {
    return this.#memory.size;
  }

  /** The number of credentials known to be dead. */
  get buried(): number {
    return this.#over.size;
  }
}

function reportOf(key: string, ms: number): SessionUse {
  const audience = key.slice(SID_CHARACTERS + 1);
  return {
    sid: key.slice(0, SID_CHARACTERS),
    seen: new Date(ms),
    audience: audience === '' ? null : audience,
  };
}
