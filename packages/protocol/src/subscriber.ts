import { attempt } from './attempt.ts';
import { userKey } from './cuts.ts';
import type { Ending, KeyedCut } from './ending.ts';
import type { NodeMessage, VerifierMessage, Welcome } from './feed-messages.ts';
import { FEED_VERSION, OLDEST_FEED_VERSION, speaksFeed } from './feed-messages.ts';
import type { Instant } from './clock.ts';
import { Freshness } from './freshness.ts';
import { Replica, type Verdict, type Watched } from './replica.ts';

/** The outside world of a subscriber. */
interface SubscriberWorld {
  now(): Instant;
  /** Sends to the connected node, if there is one. */
  send(message: VerifierMessage): void;
  /** Closes the connection; another one follows. */
  reconnect(why: string): void;
  /** An ending was taken in: cached copies of its sessions and users are void. */
  onEnding(ending: Omit<Ending, 'position'>): void;
  /**
   * A new replica begins, and what was remembered behind the old one is void: the new one may lack endings that the old one held.
   * @param wentBack the reason is that the authority's database went back, so sessions may be lost
   */
  onNewReplica(wentBack: boolean): void;
}

const USER_PREFIX = userKey('');
/** Renewals under way at once; an older one counts as lost. */
const RENEWALS = 16;

/**
 * A verifier's replica and its lease, kept by a feed. It may answer while it is fresh: the replica is complete as of an instant
 * less than the lease ago. No sockets or timers here.
 */
export class Subscriber {
  readonly #world: SubscriberWorld;
  readonly #id: string;
  #replica: Replica | null = null;
  #freshness: Freshness | null = null;
  #welcome: Welcome | null = null;
  /** On this connection the terms have arrived, and hold. */
  #welcomed = false;
  /** The number up to which this connection's snapshot is complete, once it is there. */
  #snapshot: number | null = null;
  /** The first and the last ending of this connection, with none missing in between. */
  #first: number | null = null;
  #last: number | null = null;
  /** Pieces of the snapshot that have arrived. */
  #parts = 0;
  #renewal = 0;
  readonly #renewals = new Map<number, Instant>();
  #authority: { nowMs: number; heardMs: number } | null = null;
  #answeredMs = Number.NEGATIVE_INFINITY;

  constructor(id: string, world: SubscriberWorld) {
    this.#id = id;
    this.#world = world;
  }

  /** The node's terms; null before the first connection. */
  get terms(): Welcome | null {
    return this.#welcome;
  }

  /** A connection is open. The replica stays: it only grows, and earlier proofs remain valid. */
  connected(): void {
    this.#welcomed = false;
    this.#snapshot = null;
    this.#first = null;
    this.#last = null;
    this.#parts = 0;
    // An answer to a question of an earlier connection would refer to that connection's numbers.
    this.#renewals.clear();
    this.#answeredMs = this.#world.now().monotonicMs;
    this.#world.send({ t: 'hello', v: OLDEST_FEED_VERSION, newest: FEED_VERSION, replica: this.#id });
  }

  /** Call it four times in a lease while connected. */
  tick(): void {
    const now = this.#world.now();
    this.#replica?.forget(now.monotonicMs);
    if (this.#welcome && now.monotonicMs - this.#answeredMs > 3 * this.#welcome.lease)
      return this.#world.reconnect('the node is silent');
    this.#renew();
  }

  /** A message that throws was not taken in and is not acknowledged: another connection begins anew. */
  received(message: NodeMessage): void {
    attempt(
      () => this.#received(message),
      (error) => this.#world.reconnect(`could not process a message: ${String(error)}`),
    );
  }

  #received(message: NodeMessage): void {
    const { monotonicMs } = this.#world.now();
    this.#answeredMs = monotonicMs;
    switch (message.t) {
      case 'welcome':
        return this.#agree(message, monotonicMs);
      case 'cuts':
      case 'ids':
        if (!this.#welcomed) return this.#world.reconnect('received a snapshot before the terms');
        this.#parts++;
        this.#replica?.fill(message, monotonicMs);
        return message.t === 'cuts' ? this.#changedByCuts(message.cuts) : undefined;
      case 'ending':
        return this.#ended(message, monotonicMs);
      case 'snapshot':
        if (!this.#welcomed || message.parts !== this.#parts)
          return this.#world.reconnect('a part of the snapshot is missing');
        if (this.#first !== null && this.#first > message.seq + 1)
          return this.#world.reconnect('endings are missing after the snapshot');
        this.#snapshot = message.seq;
        this.#last ??= message.seq;
        this.#world.send({ t: 'ack', seq: this.#last });
        return this.#renew();
      case 'renewed':
        return this.#renewed(message);
      case 'keys':
    }
  }

  #agree(welcome: Welcome, nowMs: number): void {
    if (!speaksFeed(welcome.v)) return this.#world.reconnect('the node speaks another version of the feed');
    const before = this.#welcome;
    this.#welcome = welcome;
    this.#welcomed = true;
    const same =
      before?.lease === welcome.lease && before.keep === welcome.keep && before.epoch === welcome.epoch;
    if (same) return;
    // The terms differ from before, or the database went back: the replica was kept by the old ones, so it begins anew.
    this.#replica = new Replica(welcome.keep, nowMs);
    this.#freshness = new Freshness(welcome.lease);
    if (before) this.#world.onNewReplica(before.epoch !== welcome.epoch);
  }

  /** A change of a user that spared a session may have been missed: the cut is in the snapshot, the news of the change is not. */
  #changedByCuts(cuts: readonly KeyedCut[]): void {
    const changed = cuts.flatMap(({ key, exceptSession }) =>
      exceptSession !== null && key.startsWith(USER_PREFIX) ? [key.slice(USER_PREFIX.length)] : [],
    );
    if (changed.length > 0) this.#world.onEnding({ ids: [], cuts: [], changed });
  }

  #ended({ seq, ids, cuts, changed }: NodeMessage & { t: 'ending' }, nowMs: number): void {
    if (!this.#replica || !this.#welcomed) return this.#world.reconnect('received endings before the terms');
    this.#replica.apply({ ids, cuts }, nowMs);
    this.#world.onEnding({ ids, cuts, changed });
    if (this.#last !== null && seq <= this.#last) return;
    if (this.#last !== null && seq > this.#last + 1) return this.#world.reconnect('an ending is missing');
    this.#first ??= seq;
    this.#last = seq;
    if (this.#snapshot !== null) this.#world.send({ t: 'ack', seq });
  }

  #renew(): void {
    if (this.#snapshot === null) return;
    const n = ++this.#renewal;
    this.#renewals.set(n, this.#world.now());
    this.#renewals.delete(n - RENEWALS);
    this.#world.send({ t: 'renew', n });
  }

  #renewed({ n, age, seq, now }: NodeMessage & { t: 'renewed' }): void {
    const asked = this.#renewals.get(n);
    if (!asked || this.#last === null) return;
    this.#renewals.delete(n);
    if (this.#last < seq) return this.#world.reconnect('an ending is missing');
    this.#freshness?.prove(asked, age);
    // Dated by the question, it is ahead by one round trip at most: a token expires that much early, never late.
    this.#authority = { nowMs: now, heardMs: asked.monotonicMs };
  }

  /**
   * The authority's clock, in milliseconds since 1970, by which it dates tokens: the node's last word, plus the time since the
   * question. Null before the first word. This process's own wall clock may be wrong.
   */
  authorityNowMs(): number | null {
    if (!this.#authority) return null;
    return this.#authority.nowMs + this.#world.now().monotonicMs - this.#authority.heardMs;
  }

  /** Judges a session here and now. `ended` is certain; `unsure`: the replica is not fresh, so ask the authority or refuse. */
  judge(session: Watched): Verdict {
    if (!this.#replica || !this.#freshness) return 'unsure';
    if (this.#replica.ends(session)) return 'ended';
    if (!this.#replica.knows(session)) return 'unsure';
    // The clock is read last: a process that was suspended in the lines above finds the lease expired here.
    return this.#freshness.isFresh(this.#world.now()) ? 'alive' : 'unsure';
  }

  /** Whether the role in a token of the session may be old. */
  mayHaveNewRole(session: Watched): boolean {
    return this.#replica?.spares(session) ?? true;
  }

  /**
   * Whether a token of an epoch may be judged by its signature and the replica. Not when its session may have been lost with
   * another epoch, and not without an epoch: then ask the authority.
   */
  mayJudge(epoch: string | undefined): boolean {
    const current = this.#welcome?.epoch;
    return current === undefined || current === epoch;
  }

  /** The age of the replica in milliseconds; infinite before the first proof. */
  ageMs(): number {
    return this.#freshness?.ageMs(this.#world.now()) ?? Number.POSITIVE_INFINITY;
  }

  isFresh(): boolean {
    return this.#freshness?.isFresh(this.#world.now()) ?? false;
  }

  size(): { ids: number; cuts: number; bytes: number } {
    return this.#replica?.size() ?? { ids: 0, cuts: 0, bytes: 0 };
  }
}
