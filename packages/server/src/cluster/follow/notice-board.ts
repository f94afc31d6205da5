import { type Cut, isCut } from '@curfew/protocol/cuts';
import type { Ending } from '@curfew/protocol/endings';
import type { SessionEnd } from '@curfew/protocol/notices';
import { type Watched, watch } from '@curfew/protocol/replica';
import { endedByAct, endOf } from '../../domain/ended.ts';
import { usersOf } from '../../domain/ending.ts';
import { idleSlackSeconds, type LiveSession } from '../../domain/session.ts';
import type { Database } from '../../store/database.ts';
import { readEnds } from '../../store/ends.ts';
import type { EndingEvent } from '../../store/log/event.ts';
import { coalesced } from '../../system/coalesced.ts';
import type { System } from '../../system/system.ts';
import { later, Soon } from '../../system/timers.ts';

/** Of "something changed in your list" a user is told once in so long, the last time included. */
const CHANGED_EVERY_MS = 400;
/** Work on many listeners stops for others after so long. */
const SLICE_MS = 2;
/** Sessions that the database is asked about at a time. */
const BATCH = 500;
/** Users of whom other nodes are told together, and how long they are gathered. */
const HINTS = 500;
const HINT_MS = 50;
const MOST_HINTS = 20 * HINTS;

/** Somebody who wants to be told of a session: a WebSocket, in the end. Must not throw. */
export interface Recipient {
  /** The session is over. Told once, and it is the last. */
  ended(ended: SessionEnd): void;
  /** The list of the user's sessions is another one. */
  changed(): void;
}

interface Listener extends Recipient {
  readonly watched: Watched;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** Before this the session cannot have run out, as far as is known. */
  lookAtMs: number;
}

interface User {
  readonly listeners: Set<Listener>;
  /** When they were last told that their list changed; they are about to be told again. */
  toldMs: number;
  toBeTold: boolean;
  /** Calls off that they are told. */
  callOff: (() => void) | undefined;
}

/**
 * Who listens at this process to which session, and the way of an ending to them. It hears of every ending when the node
 * takes it in, and works through them later, in slices: no logout waits for a listener, however many there are.
 */
export class NoticeBoard {
  readonly #database: Database;
  readonly #system: System;
  readonly #hint: (userIds: number[]) => void;
  readonly #ends: (session: Watched) => boolean;
  readonly #byUser = new Map<number, User>();
  /** What is to be done: the endings before the changes, and of each the one that has waited longest. */
  readonly #endings: Iterator<void>[] = [];
  readonly #changes: Iterator<void>[] = [];
  readonly #stopLooking: () => void;
  readonly #told = new Set<(ms: number) => void>();
  readonly #sent = { ended: 0, changed: 0 };
  #looking: Promise<void> = Promise.resolve();
  #count = 0;
  #working = false;
  /** Asks the database about the sessions that may have run out, and tells their listeners. Writes nothing. */
  readonly look: () => Promise<void> = coalesced(() => this.#lookNow());
  #hints = new Set<number>();
  readonly #hinting: Soon;

  constructor(options: {
    database: Database;
    system: System;
    /** Whether an ending that this process knows of ends the session. */
    ends: (session: Watched) => boolean;
    /** Tells the other nodes that the lists of these users changed: best effort. */
    hint: (userIds: number[]) => void;
    /** How often use is written to the database, and sessions are looked at that may have run out. */
    flushMs: number;
  }) {
    this.#database = options.database;
    this.#system = options.system;
    this.#ends = options.ends;
    this.#hint = options.hint;
    this.#hinting = new Soon(options.system, () => this.#tellNodes());
    this.#stopLooking = this.#system.every(options.flushMs, () => {
      this.#looking = this.look();
    });
  }

  /** Listens to a session. @returns ends it; calling it again does nothing */
  listen(session: LiveSession, recipient: Recipient): () => void {
    const { userId } = session;
    const listener: Listener = {
      watched: watch(session),
      expiresAtMs: session.expiresAt.getTime(),
      lookAtMs: this.#lookAt(session),
      ended: (ended) => recipient.ended(ended),
      changed: () => recipient.changed(),
    };
    const user = this.#byUser.get(userId) ?? {
      listeners: new Set(),
      toldMs: Number.NEGATIVE_INFINITY,
      toBeTold: false,
      callOff: undefined,
    };
    user.listeners.add(listener);
    this.#byUser.set(userId, user);
    this.#count++;
    // What ended while its credential was looked at went by before anybody listened.
    if (this.#ends(listener.watched)) void this.#lookUp([listener]);
    return () => void this.#remove(listener);
  }

  /** Listeners of a user at this process. */
  of(userId: number): number {
    return this.#byUser.get(userId)?.listeners.size ?? 0;
  }

  /** How many listen, and how often they were told what. */
  state(): { listeners: number; ended: number; changed: number } {
    return { listeners: this.#count, ...this.#sent };
  }

  /** Told for each end that was told: the milliseconds since the log dates it. */
  onEnded(told: (ms: number) => void): void {
    this.#told.add(told);
  }

  /** An ending is in this node's replica. Only notes it. */
  took(ending: Ending, event: EndingEvent): void {
    if (this.#count === 0 || event.type !== 'sessions_ended') return;
    const named = event.user_ids === null && event.user_id === null ? null : usersOf(event);
    // Nearly all logouts are of users who listen elsewhere, if at all.
    if (named?.every((userId) => !this.#byUser.has(userId))) return;
    this.#begin(this.#endings, this.#deal(ending, event, named ?? this.#byUser.keys()));
  }

  /** The list of the user's sessions has changed here, by what the log does not tell every node: a login, a name, a lifetime that is over. */
  changed(userId: number): void {
    this.heardOf([userId]);
    if (this.#hints.size < MOST_HINTS) this.#hints.add(userId);
    this.#hinting.in(HINT_MS);
  }

  /** The same, heard from another node. */
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
    if (!user || user.toBeTold) return;
    user.toBeTold = true;
    const begin = (): void => this.#begin(this.#changes, this.#tellUser(user));
    const waitMs = user.toldMs + CHANGED_EVERY_MS - this.#system.monotonicMs();
    if (waitMs <= 0) begin();
    else user.callOff = later(this.#system, waitMs, begin);
  }

  *#tellUser(user: User): Generator<void> {
    user.toBeTold = false;
    user.toldMs = this.#system.monotonicMs();
    for (const listener of user.listeners) {
      this.#sent.changed++;
      this.#attempt(() => listener.changed());
      yield;
    }
  }

  /** Never at once: it must not take the time of whoever caused it. */
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
      // Whatever came in meanwhile does not wait until everyone has been told of this one.
      if (!done && queue.length > 1) queue.push(queue.shift() as Iterator<void>);
      setImmediate(() => this.#goOn());
      return;
    }
  }

  /** Tells those whose session this ending ends, and the other sessions of their users. A step for each listener. */
  *#deal(ending: Ending, event: EndingEvent, userIds: Iterable<number>): Generator<void> {
    const ids = new Set(ending.ids);
    const cuts = new Map<string, Cut>(ending.cuts.map((cut) => [cut.key, cut]));
    // By this ending alone and not by all that are known: the reason and the actor are its own.
    const isHit = ({ facts, keys }: Watched): boolean =>
      ids.has(facts.sid) || keys.some((key) => isCutBy(cuts.get(key), facts));
    for (const userId of userIds) {
      for (const listener of this.#byUser.get(userId)?.listeners ?? []) {
        if (isHit(listener.watched)) {
          this.#tellEnd(listener, endedByAct(event, listener.watched.facts));
          const ms = this.#system.now().getTime() - event.at.getTime();
          for (const told of this.#told) this.#attempt(() => told(ms));
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

  /** Whoever is told and throws keeps nobody else from being told. */
  #attempt(tell: () => void): void {
    try {
      tell();
    } catch (err) {
      this.#system.log.error({ err }, 'a notice could not be given');
    }
  }

  #remove(listener: Listener): boolean {
    const { userId } = listener.watched.facts;
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

  /** Tells those whose session is over what the database says of it, one read for all. */
  async #lookUp(listeners: readonly Listener[]): Promise<void> {
    try {
      const sids = [...new Set(listeners.map(({ watched }) => watched.facts.sid))];
      const found = new Map((await readEnds(this.#database, sids)).map((facts) => [facts.sid, facts]));
      const now = this.#system.now();
      for (const listener of listeners) {
        const facts = found.get(listener.watched.facts.sid);
        const ended = facts
          ? endOf(facts, now)
          : // Purged: it ran out long ago.
            ({
              reason: 'absolute_timeout',
              by: 'system',
              at: new Date(listener.expiresAtMs).toISOString(),
            } as const);
        if (ended) {
          this.#tellEnd(listener, ended);
          // Whatever else ends a session is told to the others by its event.
          if (ended.reason === 'idle_timeout' || ended.reason === 'absolute_timeout')
            this.changed(listener.watched.facts.userId);
        } else if (facts) listener.lookAtMs = this.#lookAt(facts);
      }
    } catch (err) {
      this.#system.log.warn({ err }, 'sessions of open sockets could not be looked at; they will be again');
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

function isCutBy(cut: Cut | undefined, session: { sid: string; born: number }): boolean {
  return cut !== undefined && isCut(cut, session);
}
