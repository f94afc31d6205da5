import type { Cut } from '@curfew/protocol/cuts';
import type { Ending } from '@curfew/protocol/ending';
import type { SessionEnd } from '@curfew/protocol/notices';
import { isCutOf, type Watched, watch } from '@curfew/protocol/replica';
import { endedByAct, endOf } from '../../domain/session-end.ts';
import { usersOf } from '../../domain/event-ending.ts';
import { idleSlackSeconds, type LiveSession } from '../../domain/session.ts';
import type { Database } from '../../store/database.ts';
import { readEnds } from '../../store/ended-sessions.ts';
import type { EndingEvent } from '../../store/log/log-event.ts';
import { coalesced } from '../../system/coalesced.ts';
import type { System } from '../../system/system.ts';
import { atPace, later, Soon } from '../../system/timers.ts';

/** A user hears "your list has changed" at most once in this time, the last change included. */
const CHANGED_EVERY_MS = 400;
/** Work on many listeners yields after this time. */
const SLICE_MS = 2;
/** Sessions that the database is asked about at a time. */
const BATCH = 500;
/** Users announced to other nodes together, and how long they are gathered. */
const HINTS = 500;
const HINT_MS = 50;
const MOST_HINTS = 20 * HINTS;

/** A listener of one session, which is a WebSocket. Must not throw. */
export interface Recipient {
  /** The session has ended. Called once, and last. */
  ended(ended: SessionEnd): void;
  /** The list of the user's sessions has changed. */
  changed(): void;
}

interface Listener extends Recipient {
  readonly watched: Watched;
  readonly userId: number;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** The session cannot have expired before this, as far as is known. */
  lookAtMs: number;
}

interface UserSockets {
  readonly listeners: Set<Listener>;
  /** When they last heard that their list changed; another notice is due. */
  hintedMs: number;
  hintDue: boolean;
  /** Cancels it. */
  callOff: (() => void) | undefined;
}

/**
 * The listeners of this process, by session, and the notices to them. It queues every ending that the node takes in and works
 * through the queue later, in slices: no logout waits for listeners, however many.
 */
export class NoticeBoard {
  readonly #database: Database;
  readonly #system: System;
  readonly #hint: (userIds: number[]) => void;
  readonly #ends: (session: Watched) => boolean;
  readonly #byUser = new Map<number, UserSockets>();
  /** The work: endings before changes, and of each the one that has waited longest. */
  readonly #endings: Iterator<void>[] = [];
  readonly #changes: Iterator<void>[] = [];
  readonly #stopLooking: () => void;
  readonly #onEndedListeners = new Set<(ms: number) => void>();
  readonly #sent = { ended: 0, changed: 0 };
  #looking: Promise<void> = Promise.resolve();
  #count = 0;
  #working = false;
  /** Asks the database about sessions that may have expired, and notifies their listeners. Writes nothing. */
  readonly look: () => Promise<void> = coalesced(() => this.#lookNow());
  #hints = new Set<number>();
  readonly #hinting: Soon;

  constructor(options: {
    database: Database;
    system: System;
    /** Whether an ending known to this process ends the session. */
    ends: (session: Watched) => boolean;
    /** Tells the other nodes that the lists of these users changed: best effort. */
    hint: (userIds: number[]) => void;
    /** How often activity is written, and sessions are examined that may have expired. */
    flushMs: () => number;
  }) {
    this.#database = options.database;
    this.#system = options.system;
    this.#ends = options.ends;
    this.#hint = options.hint;
    this.#hinting = new Soon(options.system, () => this.#tellNodes());
    this.#stopLooking = atPace(this.#system, options.flushMs, () => {
      this.#looking = this.look();
    });
  }

  /** Adds a listener. @returns removes it; calling it again does nothing */
  listen(session: LiveSession, recipient: Recipient): () => void {
    const { userId } = session;
    const listener: Listener = {
      watched: watch(session),
      userId,
      expiresAtMs: session.expiresAt.getTime(),
      lookAtMs: this.#lookAt(session),
      ended: (ended) => recipient.ended(ended),
      changed: () => recipient.changed(),
    };
    const user = this.#byUser.get(userId) ?? {
      listeners: new Set(),
      hintedMs: Number.NEGATIVE_INFINITY,
      hintDue: false,
      callOff: undefined,
    };
    user.listeners.add(listener);
    this.#byUser.set(userId, user);
    this.#count++;
    // An ending while its credential was checked came before anybody listened.
    if (this.#ends(listener.watched)) void this.#lookUp([listener]);
    return () => void this.#remove(listener);
  }

  /** Listeners of a user at this process. */
  of(userId: number): number {
    return this.#byUser.get(userId)?.listeners.size ?? 0;
  }

  /** The numbers of listeners and of notices. */
  state(): { listeners: number; ended: number; changed: number } {
    return { listeners: this.#count, ...this.#sent };
  }

  /** Called for each notice of an end, with the milliseconds since the log's date of it. */
  onEnded(listener: (ms: number) => void): void {
    this.#onEndedListeners.add(listener);
  }

  /** An ending is in this node's replica. Only queues it. */
  took(ending: Ending, event: EndingEvent): void {
    if (this.#count === 0 || event.type !== 'sessions_ended') return;
    const named = event.user_ids === null && event.user_id === null ? null : usersOf(event);
    // The users of nearly all logouts listen elsewhere, if at all.
    if (named?.every((userId) => !this.#byUser.has(userId))) return;
    this.#begin(this.#endings, this.#deal(ending, event, named ?? this.#byUser.keys()));
  }

  /**
   * The list of the user's sessions has changed here, in a way that the log does not announce to every node: a login, a name, an
   * expiry.
   */
  changed(userId: number): void {
    this.heardOf([userId]);
    if (this.#hints.size < MOST_HINTS) this.#hints.add(userId);
    this.#hinting.in(HINT_MS);
  }

  /** Such a change, announced by another node. */
  heardOf(userIds: readonly number[]): void {
    for (const userId of userIds) this.#tellChanged(userId);
  }

  #tellNodes(): void {
    const userIds = [...this.#hints];
    this.#hints.clear();
    for (let i = 0; i < userIds.length; i += HINTS) this.#hint(userIds.slice(i, i + HINTS));
  }

  #tellChanged(userId: number): void {
    const user = this.#byUser.get(userId);
    if (!user || user.hintDue) return;
    user.hintDue = true;
    const begin = (): void => this.#begin(this.#changes, this.#tellUser(user));
    const waitMs = user.hintedMs + CHANGED_EVERY_MS - this.#system.monotonicMs();
    if (waitMs <= 0) begin();
    else user.callOff = later(this.#system, waitMs, begin);
  }

  *#tellUser(user: UserSockets): Generator<void> {
    user.hintDue = false;
    user.hintedMs = this.#system.monotonicMs();
    for (const listener of user.listeners) {
      this.#sent.changed++;
      this.#attempt(() => listener.changed());
      yield;
    }
  }

  /** Never at once: it must not take the time of its cause. */
  #begin(queue: Iterator<void>[], work: Iterator<void>): void {
    queue.push(work);
    if (this.#working) return;
    this.#working = true;
    setImmediate(() => this.#goOn());
  }

  #goOn(): void {
    const untilMs = this.#system.monotonicMs() + SLICE_MS;
    for (;;) {
      const queue = this.#endings.length > 0 ? this.#endings : this.#changes;
      const [work] = queue;
      if (!work) {
        this.#working = false;
        return;
      }
      let done = true;
      this.#attempt(() => (done = work.next().done === true));
      if (done) queue.shift();
      if (this.#system.monotonicMs() < untilMs) continue;
      // Work that arrived meanwhile need not wait until all listeners of this one were notified.
      if (!done && queue.length > 1) queue.push(queue.shift() as Iterator<void>);
      setImmediate(() => this.#goOn());
      return;
    }
  }

  /** Notifies the sessions that this ending ends, and the users' other sessions. One step for each listener. */
  *#deal(ending: Ending, event: EndingEvent, userIds: Iterable<number>): Generator<void> {
    const ids = new Set(ending.ids);
    const cuts = new Map<string, Cut>(ending.cuts.map((cut) => [cut.key, cut]));
    // By this ending only: its reason and actor are its own.
    const isHit = (session: Watched): boolean =>
      ids.has(session.facts.sid) || isCutOf((key) => cuts.get(key), session);
    for (const userId of userIds) {
      for (const listener of this.#byUser.get(userId)?.listeners ?? []) {
        if (isHit(listener.watched)) {
          this.#tellEnd(listener, endedByAct(event, { userId, sid: listener.watched.facts.sid }));
          const ms = this.#system.now().getTime() - event.at.getTime();
          for (const listener of this.#onEndedListeners) this.#attempt(() => listener(ms));
        }
        yield;
      }
      this.#tellChanged(userId);
      yield;
    }
  }

  #tellEnd(listener: Listener, ended: SessionEnd): void {
    if (!this.#remove(listener)) return;
    this.#sent.ended++;
    this.#attempt(() => listener.ended(ended));
  }

  /** A listener that throws does not stop the others. */
  #attempt(tell: () => void): void {
    try {
      tell();
    } catch (err) {
      this.#system.log.error({ err }, 'could not send a notice to a device');
    }
  }

  #remove(listener: Listener): boolean {
    const { userId } = listener;
    const user = this.#byUser.get(userId);
    if (!user?.listeners.delete(listener)) return false;
    this.#count--;
    if (user.listeners.size === 0) {
      user.callOff?.();
      this.#byUser.delete(userId);
    }
    return true;
  }

  #lookAt({
    idleSeconds,
    idleExpiresAt,
    expiresAt,
  }: Pick<LiveSession, 'idleSeconds' | 'idleExpiresAt' | 'expiresAt'>): number {
    return Math.min(idleExpiresAt.getTime() + idleSlackSeconds(idleSeconds) * 1000, expiresAt.getTime());
  }

  async #lookNow(): Promise<void> {
    const nowMs = this.#system.now().getTime();
    const due: Listener[] = [];
    for (const { listeners } of this.#byUser.values())
      for (const listener of listeners) if (listener.lookAtMs <= nowMs) due.push(listener);
    for (let i = 0; i < due.length; i += BATCH) await this.#lookUp(due.slice(i, i + BATCH));
  }

  /** Notifies sessions that are over, by what one read of the database says of them all. */
  async #lookUp(listeners: readonly Listener[]): Promise<void> {
    try {
      const sids = [...new Set(listeners.map(({ watched }) => watched.facts.sid))];
      const found = new Map((await readEnds(this.#database, sids)).map((facts) => [facts.sid, facts]));
      const now = this.#system.now();
      for (const listener of listeners) {
        const facts = found.get(listener.watched.facts.sid);
        const ended = facts
          ? endOf(facts, now)
          : // Purged: it expired long ago.
            ({
              reason: 'absolute_timeout',
              by: 'system',
              at: new Date(listener.expiresAtMs).toISOString(),
            } as const);
        if (ended) {
          this.#tellEnd(listener, ended);
          // Other ends are announced by their events.
          if (ended.reason === 'idle_timeout' || ended.reason === 'absolute_timeout')
            this.changed(listener.userId);
        } else if (facts) listener.lookAtMs = this.#lookAt(facts);
      }
    } catch (err) {
      this.#system.log.warn({ err }, 'could not check the sessions of open sockets; will retry');
      for (const listener of listeners) listener.lookAtMs = 0;
    }
  }

  async close(): Promise<void> {
    this.#stopLooking();
    this.#hinting.callOff();
    for (const { callOff } of this.#byUser.values()) callOff?.();
    await this.#looking;
  }
}
