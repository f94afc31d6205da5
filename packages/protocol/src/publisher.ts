import { attempt } from './attempt.ts';
import type { Clock } from './clock.ts';
import type { Ending } from './endings.ts';
import type { NodeMessage } from './feed.ts';

/** A verifier's connection, as its node sees it. */
export interface Feed {
  /** The newest ending that the verifier has said it holds. */
  acknowledged: number;
  /**
   * When the verifier surely trusts its memory no longer, on the node's monotonic clock: the instant as of which it was last
   * told to be fresh, and the lease, and the margin. Before that it is waited for, connected or not.
   */
  trustsUntilMs: number;
  /** One that throws has ended the connection. */
  send(message: NodeMessage): void;
}

/** Who holds an ending. */
export interface Tally {
  /** Verifiers that have said that they do. */
  acknowledged: number;
  /** Verifiers that have not, and may still answer from memory; once the wait is over: that have lost their lease. */
  missing: number;
}

interface Wait {
  readonly seq: number;
  acknowledged: number;
  readonly missing: Set<Feed>;
  over(): void;
}

/** Endings in one message: some hundred kilobytes at most of single logouts. */
const TOGETHER = 2000;

/**
 * The verifiers that follow one node. Endings are numbered; whoever has not acknowledged one is waited for until it
 * has, or until it cannot trust its memory any more. Nothing here knows what a socket is.
 */
export class Publisher {
  readonly #clock: Clock;
  readonly #trustMs: number;
  readonly #onFault: (error: unknown) => void;
  readonly #feeds = new Set<Feed>();
  /** Feeds whose connection has ended, and whose lease may not have. */
  readonly #departed = new Set<Feed>();
  /** By number, lowest first. */
  readonly #waits = new Set<Wait>();
  #seq = 0;

  /** @param trustMs how long after the instant that it is fresh as of a verifier may trust itself: lease and margin */
  constructor(clock: Clock, trustMs: number, onFault: (error: unknown) => void) {
    this.#clock = clock;
    this.#trustMs = trustMs;
    this.#onFault = onFault;
  }

  /** Verifiers that are connected. */
  get size(): number {
    return this.#feeds.size;
  }

  /** The number of the newest ending. */
  get seq(): number {
    return this.#seq;
  }

  /** A verifier said hello. From here on it is sent every ending; take the snapshot for it after this. */
  join(send: (message: NodeMessage) => void): Feed {
    const feed = { acknowledged: 0, trustsUntilMs: Number.NEGATIVE_INFINITY, send };
    this.#feeds.add(feed);
    return feed;
  }

  /** The connection has ended. The verifier may not know, and is waited for until its lease is over. */
  leave(feed: Feed): void {
    if (this.#feeds.delete(feed)) this.#departed.add(feed);
    this.#forgetDeparted(this.#clock.now().monotonicMs);
  }

  /** What everybody here was told is of a past that never was: nobody is told more of it, or renewed. They must begin anew. */
  dismiss(): void {
    for (const feed of this.#feeds) this.#departed.add(feed);
    this.#feeds.clear();
  }

  /**
   * Verifiers may be left that another process has kept fresh, which has ended by now without a word. Nobody knows them:
   * they are waited for as one, until whatever that process said last is over.
   */
  inherit(): void {
    const { monotonicMs } = this.#clock.now();
    this.#departed.add({
      acknowledged: 0,
      trustsUntilMs: monotonicMs + this.#trustMs,
      send: () => undefined,
    });
  }

  /** Whoever cannot trust its memory any more is waited for no longer. */
  #forgetDeparted(nowMs: number): void {
    for (const feed of this.#departed) if (feed.trustsUntilMs <= nowMs) this.#departed.delete(feed);
  }

  /** Sends what has ended, as few messages, each under a number. */
  publish(endings: readonly Ending[]): void {
    for (let i = 0; i < endings.length; i += TOGETHER) {
      const some = endings.slice(i, i + TOGETHER);
      const ids = some.flatMap((ending) => ending.ids);
      const cuts = some.flatMap((ending) => ending.cuts);
      const changed = some.flatMap((ending) => ending.changed);
      if (ids.length + cuts.length + changed.length === 0) continue;
      this.#seq++;
      this.broadcast({ t: 'ending', seq: this.#seq, cuts, ids, changed });
    }
  }

  /** Sends something to every verifier. */
  broadcast(message: NodeMessage): void {
    for (const feed of this.#feeds) this.#send(feed, message);
  }

  /** Whoever could not be sent one lacks it: like one whose connection has ended, it is waited for and not renewed. */
  #send(feed: Feed, message: NodeMessage): void {
    attempt(
      () => feed.send(message),
      (error) => {
        this.leave(feed);
        this.#onFault(error);
      },
    );
  }

  /**
   * Answers a renewal: the verifier may trust itself for a lease from the instant as of which this node is fresh, once it
   * holds everything up to the number that stands in the answer.
   * @param ageMs the age of what this node knows
   */
  renew(feed: Feed, n: number, ageMs: number, authorityNowMs: number): void {
    const { monotonicMs } = this.#clock.now();
    if (!this.#feeds.has(feed)) return;
    feed.trustsUntilMs = Math.max(feed.trustsUntilMs, monotonicMs - ageMs + this.#trustMs);
    this.#send(feed, { t: 'renewed', n, age: ageMs, seq: this.#seq, now: authorityNowMs });
  }

  /** Answers when no verifier can trust its memory any more by what it was told here. */
  whenNoneTrusts(done: () => void): void {
    const nowMs = this.#clock.now().monotonicMs;
    let untilMs = nowMs;
    for (const feeds of [this.#feeds, this.#departed])
      for (const feed of feeds) untilMs = Math.max(untilMs, feed.trustsUntilMs);
    if (untilMs === nowMs) done();
    else this.#clock.after(untilMs - nowMs + 1, done);
  }

  /** The verifier holds every ending up to a number. It cannot hold what was not published: such a word counts for nothing. */
  acknowledge(feed: Feed, seq: number): void {
    if (!(seq <= this.#seq)) return;
    feed.acknowledged = Math.max(feed.acknowledged, seq);
    for (const wait of this.#waits) {
      if (wait.seq > seq) break;
      if (!wait.missing.delete(feed)) continue;
      wait.acknowledged++;
      if (wait.missing.size === 0) wait.over();
    }
  }

  /**
   * Answers when every verifier holds what has been published up to now, or cannot trust its memory any more. How long that
   * can take is settled now: whoever is renewed later is renewed with a number at or above this one.
   * @returns how it stands, to ask at any time
   */
  waitForAll(done: (tally: Tally) => void): () => Tally {
    const seq = this.#seq;
    const nowMs = this.#clock.now().monotonicMs;
    const missing = new Set<Feed>();
    let untilMs = nowMs;
    let acknowledged = 0;
    this.#forgetDeparted(nowMs);
    for (const feeds of [this.#feeds, this.#departed])
      for (const feed of feeds)
        if (feed.acknowledged >= seq) acknowledged += feeds === this.#feeds ? 1 : 0;
        else if (feed.trustsUntilMs > nowMs) {
          missing.add(feed);
          untilMs = Math.max(untilMs, feed.trustsUntilMs);
        }
    const wait: Wait = {
      seq,
      acknowledged,
      missing,
      over: () => {
        stop();
        if (this.#waits.delete(wait)) attempt(() => done(tally()), this.#onFault);
      },
    };
    const tally = (): Tally => ({ acknowledged: wait.acknowledged, missing: wait.missing.size });
    this.#waits.add(wait);
    // One millisecond more: a timer may come early by its own rounding, the end of a lease may not.
    const stop =
      missing.size > 0 ? this.#clock.after(untilMs - nowMs + 1, () => wait.over()) : () => undefined;
    if (missing.size === 0) wait.over();
    return tally;
  }
}
