import { attempt } from './attempt.ts';
import type { Clock } from './clock.ts';
import type { Ending } from './ending.ts';
import { FEED_VERSION, type NodeMessage } from './feed-messages.ts';
import { isOfVersion1 } from './replica.ts';

/** A verifier's connection, as its node sees it. */
export interface Subscription {
  /** The version of the feed that the verifier speaks. */
  readonly version: number;
  /** The newest ending that the verifier has acknowledged. */
  acknowledged: number;
  /** Acknowledgements above this number do not count: the verifier does not understand a cut that came next, or may have missed. */
  understands: number;
  /**
   * When the verifier's lease has certainly expired, on the node's monotonic clock: the instant of its last renewal, plus lease
   * and margin. Until then it is waited for, connected or not.
   */
  trustsUntilMs: number;
  /** If it throws, the connection has ended. */
  send(message: NodeMessage): void;
}

/** How many verifiers hold an ending. */
export interface Tally {
  /** Verifiers that have acknowledged. */
  acknowledged: number;
  /** Verifiers that have not and may still answer from memory; after the wait, those whose lease expired. */
  missing: number;
}

interface Wait {
  readonly seq: number;
  acknowledged: number;
  readonly missing: Set<Subscription>;
  over(): void;
}

/** A feed of which nothing was heard yet. */
const NOTHING_HEARD = {
  acknowledged: 0,
  understands: Number.POSITIVE_INFINITY,
  trustsUntilMs: Number.NEGATIVE_INFINITY,
};

/** The newest ending that the verifier certainly holds. */
const heldBy = ({ acknowledged, understands }: Subscription): number => Math.min(acknowledged, understands);

/** Above every lease. Not infinite: JSON would write null. */
const FAR_TOO_OLD = Number.MAX_SAFE_INTEGER;

/** Endings in one message: a few hundred kilobytes at most for single logouts. */
const TOGETHER = 2000;

/**
 * The verifiers of one node. Endings are numbered; a verifier that has not acknowledged one is waited for until it has, or until
 * its lease has expired. No sockets here.
 */
export class Publisher {
  readonly #clock: Clock;
  readonly #trustMs: number;
  readonly #onFault: (error: unknown) => void;
  readonly #feeds = new Set<Subscription>();
  /** Feeds whose connection has ended and whose lease may still run. */
  readonly #departed = new Set<Subscription>();
  /** By number, lowest first. */
  readonly #waits = new Set<Wait>();
  #seq = 0;

  /** @param trustMs how long a verifier may trust itself after the instant that it is fresh as of: lease and margin */
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

  /** A verifier said hello. It is sent every ending from here on; take its snapshot after this. */
  join(send: (message: NodeMessage) => void, version: number = FEED_VERSION): Subscription {
    const feed = { ...NOTHING_HEARD, version, send };
    // Until its first renewal: the snapshot may have a cut that it does not understand.
    if (version === 1) feed.understands = Number.NEGATIVE_INFINITY;
    this.#feeds.add(feed);
    return feed;
  }

  /** The connection has ended. The verifier may not know, and is waited for until its lease expires. */
  leave(feed: Subscription): void {
    if (this.#feeds.delete(feed)) this.#departed.add(feed);
    this.#forgetDeparted(this.#clock.now().monotonicMs);
  }

  /** The database went back: these verifiers hold a lost history. They get no more endings and no renewals, and must begin anew. */
  dismiss(): void {
    for (const feed of this.#feeds) this.#departed.add(feed);
    this.#feeds.clear();
  }

  /**
   * A process that was killed may have left verifiers with a lease. They are unknown, and are waited for as one until the last
   * lease that it can have given expires.
   */
  inherit(): void {
    const { monotonicMs } = this.#clock.now();
    const trustsUntilMs = monotonicMs + this.#trustMs;
    this.#departed.add({ ...NOTHING_HEARD, version: FEED_VERSION, trustsUntilMs, send: () => undefined });
  }

  /** Verifiers whose lease has expired are not waited for. */
  #forgetDeparted(nowMs: number): void {
    for (const feed of this.#departed) if (feed.trustsUntilMs <= nowMs) this.#departed.delete(feed);
  }

  /** Sends endings, in as few messages as possible, each with a number. */
  publish(endings: readonly Ending[]): void {
    for (let i = 0; i < endings.length; i += TOGETHER) {
      const some = endings.slice(i, i + TOGETHER);
      const ids = some.flatMap((ending) => ending.ids);
      const cuts = some.flatMap((ending) => ending.cuts);
      const changed = some.flatMap((ending) => ending.changed);
      if (ids.length + cuts.length + changed.length === 0) continue;
      this.#seq++;
      if (!cuts.every(({ key }) => isOfVersion1(key)))
        for (const feed of this.#feeds)
          if (feed.version === 1) feed.understands = Math.min(feed.understands, this.#seq - 1);
      this.broadcast({ t: 'ending', seq: this.#seq, cuts, ids, changed });
    }
  }

  broadcast(message: NodeMessage): void {
    for (const feed of this.#feeds) this.#send(feed, message);
  }

  /** A verifier that could not be sent an ending lacks it: like a lost connection, it is waited for and not renewed. */
  #send(feed: Subscription, message: NodeMessage): void {
    attempt(
      () => feed.send(message),
      (error) => {
        this.leave(feed);
        this.#onFault(error);
      },
    );
  }

  /**
   * Answers a renewal: the verifier may trust itself for a lease from the instant as of which this node is fresh, once it holds
   * everything up to the number in the answer.
   * @param ageMs the age of this node's knowledge
   */
  renew(feed: Subscription, n: number, ageMs: number, authorityNowMs: number): void {
    const { monotonicMs } = this.#clock.now();
    if (!this.#feeds.has(feed)) return;
    feed.understands = Number.POSITIVE_INFINITY;
    feed.trustsUntilMs = Math.max(feed.trustsUntilMs, monotonicMs - ageMs + this.#trustMs);
    this.#send(feed, { t: 'renewed', n, age: ageMs, seq: this.#seq, now: authorityNowMs });
  }

  /**
   * Answers a renewal of a verifier that does not understand every cut there is: it learns that its knowledge is old, stays
   * connected, and asks the authority at each check.
   */
  renewStale(feed: Subscription, n: number, authorityNowMs: number): void {
    if (!this.#feeds.has(feed)) return;
    this.#send(feed, { t: 'renewed', n, age: FAR_TOO_OLD, seq: this.#seq, now: authorityNowMs });
  }

  /** Answers when all leases that this node gave have expired. */
  whenNoneTrusts(done: () => void): void {
    const nowMs = this.#clock.now().monotonicMs;
    let untilMs = nowMs;
    for (const feeds of [this.#feeds, this.#departed])
      for (const feed of feeds) untilMs = Math.max(untilMs, feed.trustsUntilMs);
    if (untilMs === nowMs) done();
    else this.#clock.after(untilMs - nowMs + 1, done);
  }

  /** The verifier holds every ending up to a number. A number that was not published yet is ignored. */
  acknowledge(feed: Subscription, seq: number): void {
    if (!(seq <= this.#seq)) return;
    feed.acknowledged = Math.max(feed.acknowledged, seq);
    for (const wait of this.#waits) {
      if (wait.seq > heldBy(feed)) break;
      if (!wait.missing.delete(feed)) continue;
      wait.acknowledged++;
      if (wait.missing.size === 0) wait.over();
    }
  }

  /**
   * Answers when every verifier holds the endings published so far, or its lease has expired. How long that can take is fixed
   * now: a later renewal carries a number at or above this one.
   * @returns the tally, to ask at any time
   */
  waitForAll(done: (tally: Tally) => void): () => Tally {
    const seq = this.#seq;
    const nowMs = this.#clock.now().monotonicMs;
    const missing = new Set<Subscription>();
    let untilMs = nowMs;
    let acknowledged = 0;
    this.#forgetDeparted(nowMs);
    for (const feeds of [this.#feeds, this.#departed])
      for (const feed of feeds)
        if (heldBy(feed) >= seq) acknowledged += feeds === this.#feeds ? 1 : 0;
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
    // One millisecond more: a timer may fire early by its rounding, and a lease may not end early.
    const stop =
      missing.size > 0 ? this.#clock.after(untilMs - nowMs + 1, () => wait.over()) : () => undefined;
    if (missing.size === 0) wait.over();
    return tally;
  }
}
