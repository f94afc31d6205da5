import { attempt } from './attempt.ts';
import type { Clock } from './clock.ts';
import type { Ending } from './ending.ts';
import { Freshness, marginMs } from './freshness.ts';
import { type Subscription, Publisher, type Tally } from './publisher.ts';
import { Replica, type Verdict, type Watched } from './replica.ts';
import { type Ring, readRing } from './rings.ts';
import { type Done, shared } from './shared-runs.ts';

export type { Ring } from './rings.ts';
export type { Done } from './shared-runs.ts';

/** How far an event has propagated when its logout is confirmed. */
export interface Propagation {
  /** How many other replicas (nodes and verifiers) acknowledged. */
  acknowledged: number;
  /** Replicas that did not, and whose lease has expired by now. */
  waitedOut: number;
}

/**
 * The database that answered a statement, in that statement's own snapshot. A database can go back under its nodes: a standby
 * without the last commits takes over, or a copy is restored. Each such history is an *epoch*, recorded in the database.
 */
export interface Provenance {
  /** The recorded epoch, `<number>.<random>`; the number grows. */
  epoch: string;
  /** The epoch was recorded on another server, timeline or database than this one, and no new epoch has begun yet. */
  foreign: boolean;
  /** The epoch is so old that every lease of an earlier one has expired: all fresh nodes are in the registry. */
  settled: boolean;
  /** This node's beat before the statement; null when the node is not in the registry. */
  beat: number | null;
}

/** The node's questions to the database. Every answer is of one snapshot that was taken after the question. */
export interface NodeDatabase {
  /**
   * Registers the node with a beat that no node has had before, also when it is registered already: a node that is about to
   * deregister it by an older beat then fails. Answers after the commit, with the new beat.
   */
  register(id: string, done: Done<Provenance & { raised: number }>): void;
  /** Raises the beat of a registered node. */
  beat(id: string, done: Done<Provenance & { raised: number }>): void;
  /** @param id the asking node */
  nodes(id: string, done: Done<Provenance & { nodes: readonly { id: string; beat: number }[] }>): void;
  /** Deregisters a node whose beat is unchanged, in the same epoch. */
  takeOut(id: string, beat: number, epoch: string, done: Done<boolean>): void;
  /**
   * Reads every committed ending at or above the cursor, and the next cursor: every transaction below it is over, so nothing can
   * appear there later. Without a cursor, everything that can still matter. With `more` there is another page after this one.
   * Endings that this node passed to `committed` may be left out. `behind`: the database is behind the cursor, or lacks an ending
   * that it returned before.
   * @param id the asking node
   */
  readLog(
    cursor: string | null,
    id: string,
    done: Done<Provenance & { endings: readonly Ending[]; cursor: string; more?: boolean; behind?: boolean }>,
  ): void;
  /** Records a new epoch of the database that answers, numbered above both, unless another process has replaced `seen` meanwhile. */
  newEpoch(seen: string, above: string, done: Done<void>): void;
  /** All leases from before the epoch have expired. */
  settle(epoch: string, done: Done<void>): void;
}

/** The outside world of a node. */
export interface NodeWorld extends Clock {
  database: NodeDatabase;
  ring(message: Ring): void;
  /** The clock by which the authority dates tokens, in milliseconds since 1970. */
  authorityNowMs(): number;
  /** An ending has reached the replica; called once for each, as far as possible. */
  onEnding(ending: Ending): void;
  /** This node was deregistered: earlier answers of the database are void. */
  onGap(): void;
  /** The database went back: this node begins anew, and so must its verifiers. Close their connections. */
  onBack(): void;
  onTrouble(
    what: 'log' | 'registry' | 'taken-out' | 'silent' | 'went-back' | 'taking-in' | 'callback',
    detail: unknown,
  ): void;
}

/** The leases for which a node trusts itself after its last beat. Its verifiers may trust themselves for one more. */
const BEAT_TRUSTED = 3;
/** The leases without a beat after which the others deregister a node. */
const SILENT = 5;

/** The database went back after a commit and may have lost it, so the logout cannot be confirmed. */
export class WentBack extends Error {
  override name = 'WentBack';

  constructor() {
    super('the database went back in time and may have lost committed data');
  }
}

interface Confirmation {
  /** Acknowledgements of this ring, or a later one, count. */
  ring: number;
  /** The last acknowledgement of each other node, if any; null while the registry is being read. */
  others: Map<string, (Tally & { over: boolean }) | null> | null;
  settle(): void;
}

/**
 * One process of the authority. It registers, follows the log, answers from memory while it is fresh, keeps its verifiers fresh,
 * and confirms logouts (docs/guarantee.md).
 */
export class Node {
  readonly id: string;
  #keepMs: number;
  readonly publisher: Publisher;
  readonly #world: NodeWorld;
  readonly #leaseMs: number;
  readonly #waitMs: number;
  readonly #sole: boolean;
  #freshness: Freshness;
  readonly #confirmations = new Set<Confirmation>();
  readonly #beats = new Map<string, { beat: number; movedMs: number }>();
  readonly #read: (done: Done<void>) => void;
  readonly #readRegistry: (done: Done<readonly string[]>) => void;
  #replica: Replica;
  /** The database's epoch of everything here; null before it is known. */
  #epoch: string | null = null;
  #epochSinceMs = 0;
  #settled = false;
  /** The database went back from this epoch: a new one must be recorded first. */
  #stale: { seen: string; above: string } | null = null;
  /** Raised when the database goes back: answers to earlier questions are of a lost history. */
  #life = 0;
  /** The highest beat of this node that is certainly committed. */
  #beatKnown = 0;
  #others = 0;
  #registered = false;
  /** When this node was certainly registered: when it sent the last beat that was answered. */
  #beaten: Freshness;
  #cursor: string | null = null;
  /** A sole node that has looked for a predecessor in the registry. */
  #succeeded = false;
  /** The log was read to its end: the replica holds all endings from before this node began. */
  #complete = false;
  /** Positions of the last read, which a later one may return again. */
  #given = new Set<number>();
  /** Positions that this process has committed since it asked for the last read. */
  #own = new Set<number>();
  #lastRing = 0;
  readonly #stops: (() => void)[] = [];
  #retiring = false;
  #closed = false;

  /**
   * @param options.keepMs longer than the life of any credential that is judged by a replica alone
   * @param options.sole only this process writes to the database, and it takes in its own commits: it is always fresh
   */
  constructor(id: string, world: NodeWorld, options: { leaseMs: number; keepMs: number; sole?: boolean }) {
    this.id = id;
    this.#world = world;
    this.#keepMs = options.keepMs;
    this.#leaseMs = options.leaseMs;
    this.#waitMs = options.leaseMs + marginMs(options.leaseMs);
    this.#sole = options.sole ?? false;
    this.#freshness = new Freshness(options.leaseMs);
    this.#beaten = new Freshness(BEAT_TRUSTED * options.leaseMs);
    this.#replica = new Replica(options.keepMs, world.now().monotonicMs);
    const onFault = (error: unknown): void => this.#trouble('callback', error);
    this.publisher = new Publisher(world, this.#waitMs, onFault);
    this.#read = shared((done) => this.#readNow(done), onFault);
    this.#readRegistry = shared((done) => {
      // A sole node has no peers, only the verifiers of a predecessor that was killed.
      if (this.#sole) return this.#succeeded ? done(null, []) : done(new Error('not started yet'));
      world.database.nodes(
        id,
        this.#checked((error, registry) => {
          if (error || registry === undefined)
            return done(error ?? new Error('cannot read the node registry'));
          // The registrations may be lost with the rest, and those nodes still be fresh.
          if (!registry.settled) return done(new Error('the database went back in time a moment ago'));
          done(
            null,
            registry.nodes.map((node) => node.id).filter((other) => other !== id),
          );
        }, done),
      );
    }, onFault);
  }

  /** The shortest time that an entry stays in the replica. */
  get keepMs(): number {
    return this.#keepMs;
  }

  /**
   * Entries must be kept for longer from now on. Some that were dropped may matter again (the longer life was in use before), so
   * the node trusts nothing until it has read the log anew, further back.
   */
  keepFor(ms: number): void {
    if (ms <= this.#keepMs) return;
    this.#keepMs = ms;
    this.#replica.keepFor(ms);
    this.#readAnew();
  }

  /** The cuts and ended ids in this node's replica. */
  get replica(): Replica {
    return this.#replica;
  }

  /** The database's epoch; null while the node determines it. Read it before asking what it is to vouch for. */
  get epoch(): string | null {
    return this.#epoch;
  }

  /** Registers and reads. Answers when the node is fresh for the first time, or with the error. */
  start(done: Done<void>): void {
    this.#read((error) => {
      if (error) return done(error);
      this.#stops.push(
        this.#world.every(this.#leaseMs / 4, () => {
          if (!this.#sole || !this.#complete)
            this.catchUp((failed) => failed && this.#trouble('log', failed));
        }),
      );
      if (this.#sole) return this.#succeed(done);
      this.#stops.push(this.#world.every(this.#leaseMs, () => this.#beat()));
      done(null);
    });
  }

  /** A sole node that finds another one in the registry succeeds one that was killed, whose verifiers still trust it. */
  #succeed(done: Done<void>): void {
    const { database } = this.#world;
    database.nodes(this.id, (error, registry) => {
      if (error || registry === undefined) return done(error ?? new Error('cannot read the node registry'));
      const dead = registry.nodes.filter((node) => node.id !== this.id);
      if (dead.length > 0) this.publisher.inherit();
      this.#succeeded = true;
      // A row that stays only makes the next start wait again.
      for (const { id, beat } of dead)
        database.takeOut(id, beat, registry.epoch, (failed) => failed && this.#trouble('registry', failed));
      done(null);
    });
  }

  /**
   * Ends the node: it renews no verifier any more, and answers when no verifier trusts itself because of it. Other nodes wait for
   * it until it is deregistered, which comes after this.
   */
  close(done: () => void): void {
    this.#retiring = true;
    this.publisher.whenNoneTrusts(() => {
      this.#closed = true;
      for (const stop of this.#stops) stop();
      done();
    });
  }

  /** A verifier asks for a renewal. It gets none while this node is not fresh. */
  renew(feed: Subscription, n: number): void {
    const ageMs = this.ageMs();
    if (ageMs >= this.#leaseMs || this.#retiring) return;
    const authorityNowMs = this.#world.authorityNowMs();
    if (feed.version === 1 && !this.#replica.suitsVersion1(this.#world.now().monotonicMs))
      return this.publisher.renewStale(feed, n, authorityNowMs);
    this.publisher.renew(feed, n, ageMs, authorityNowMs);
  }

  /** Judges a session by this node's memory. */
  judge(session: Watched): Verdict {
    if (this.#replica.ends(session)) return 'ended';
    if (!this.#replica.knows(session)) return 'unsure';
    // The clock is read last: a process that was suspended in the lines above finds the lease expired here.
    return this.isFresh() ? 'alive' : 'unsure';
  }

  /** Whether the replica may answer; see Freshness. Call it last. */
  isFresh(): boolean {
    return this.ageMs() < this.#leaseMs;
  }

  /** The age of this node's knowledge in milliseconds; infinite when it may not be trusted at all. */
  ageMs(): number {
    if (this.#sole) return this.#registered && this.#complete && !this.#closed ? 0 : Number.POSITIVE_INFINITY;
    const now = this.#world.now();
    const trusted =
      this.#registered && !this.#closed && this.#beaten.isFresh(now) && this.#freshness.isFresh(now);
    return trusted ? this.#freshness.ageMs(now) : Number.POSITIVE_INFINITY;
  }

  /** Other nodes at the last look into the registry. */
  get others(): number {
    return this.#others;
  }

  /** Milliseconds for which the beat of another node has not moved; undefined for an unknown node. */
  stillMs(id: string): number | undefined {
    const seen = this.#beats.get(id);
    return seen && this.#world.now().monotonicMs - seen.movedMs;
  }

  /** Reads the log. When it answers, everything committed before the call is in the replica, and sent to the verifiers. */
  catchUp(done: Done<void>): void {
    this.#read(done);
  }

  /**
   * Takes in endings that this process has committed, before it reads them in the log. Endings of one commit go to the verifiers
   * as one message. False when they were not taken in: then the log must bring them.
   */
  committed(...endings: readonly Ending[]): boolean {
    // Their epoch is unknown then; the history is read next, and holds them if the database does.
    if (this.#epoch === null) return false;
    const news = endings.filter(({ position }) => !this.#given.has(position));
    try {
      this.#takeIn(news);
    } catch (error) {
      this.missed(error);
      return false;
    }
    // A sole node reads no log, so nothing comes twice.
    if (!this.#sole) for (const { position } of news) this.#own.add(position);
    return true;
  }

  /** An ending could not be taken in: the node trusts nothing until it has read the log anew from its beginning. */
  missed(error: unknown): void {
    this.#readAnew();
    this.#trouble('taking-in', error);
  }

  #readAnew(): void {
    this.#complete = false;
    this.#cursor = null;
    this.#given.clear();
    this.#freshness = new Freshness(this.#leaseMs);
  }

  /**
   * Confirms a logout; call it after the commit and after `committed`, with the same endings. Answers when no other replica
   * accepts a credential of an ended session: all have acknowledged, or the leases of the others have expired. Never later than
   * the lease and its margin, whatever is down. Fails when the database went back meanwhile and lacks the ending.
   */
  confirm(done: Done<Propagation>, endings: readonly Ending[]): void {
    // The verifiers may lack an ending that this node has not taken in.
    if (!this.#complete) return this.#confirmRead(done, endings);
    const isLost = this.#doubt(endings);
    let waiting = true;
    const answer = (): void => {
      if (!waiting) return;
      waiting = false;
      stopDeadline();
      this.#confirmations.delete(confirmation);
      const { acknowledged, missing } = verifiers();
      const propagation = { acknowledged, waitedOut: missing };
      for (const other of confirmation.others?.values() ?? []) {
        propagation.acknowledged += other ? other.acknowledged + 1 : 0;
        propagation.waitedOut += other ? other.missing : 1;
      }
      if (confirmation.others === null) propagation.waitedOut += this.#others;
      this.#attempt(() => (isLost() ? done(new WentBack()) : done(null, propagation)));
    };
    let verifiersDone = false;
    const confirmation: Confirmation = {
      ring: ++this.#lastRing,
      others: null,
      settle: () => {
        if (!verifiersDone || confirmation.others === null) return;
        for (const other of confirmation.others.values()) if (!other?.over) return;
        answer();
      },
    };
    this.#confirmations.add(confirmation);
    // One millisecond more: a timer may fire early by its rounding, and a lease may not end early.
    const stopDeadline = this.#world.after(this.#waitMs + 1, answer);
    const verifiers = this.publisher.waitForAll(() => {
      verifiersDone = true;
      confirmation.settle();
    });
    // A node that is not in the registry now registers later, and reads only a history with this commit.
    this.#readRegistry((error, ids) => {
      if (error || ids === undefined) return this.#trouble('registry', error);
      this.#others = ids.length;
      confirmation.others = new Map(ids.map((id) => [id, null]));
      if (ids.length > 0)
        this.#attempt(() =>
          this.#world.ring({
            ring: confirmation.ring,
            from: this.id,
            ...(this.#epoch !== null && { epoch: this.#epoch }),
          }),
        );
      confirmation.settle();
    });
  }

  /**
   * Confirms an ending of another process that was committed before now and may not be in memory here: the log is read first, so
   * that the verifiers without it are waited for. Never later than `confirm`. Fails whenever the database went back meanwhile,
   * because the ending is not known by name.
   */
  confirmEarlier(done: Done<Propagation>): void {
    this.#confirmRead(done, null);
  }

  #confirmRead(done: Done<Propagation>, endings: readonly Ending[] | null): void {
    const isLost = this.#doubt(endings);
    let waiting = true;
    const answer: Done<Propagation> = (error, propagation) => {
      if (!waiting) return;
      waiting = false;
      stopDeadline();
      this.#attempt(() => (error || isLost() ? done(error ?? new WentBack()) : done(null, propagation)));
    };
    const stopDeadline = this.#world.after(this.#waitMs + 1, () =>
      answer(null, { acknowledged: 0, waitedOut: this.#others + this.publisher.size }),
    );
    this.catchUp((error) => {
      if (error) this.#trouble('log', error);
      else this.confirm(answer, endings ?? []);
    });
  }

  /**
   * Whether a commit from before now must count as lost, whenever it is asked: the database went back since, and does not hold
   * the same endings now.
   * @param endings null: not known by name
   */
  #doubt(endings: readonly Ending[] | null): () => boolean {
    // While the epoch is being determined, the commit's epoch is unknown.
    const life = this.#epoch === null ? null : this.#life;
    return () => {
      if (life === this.#life) return false;
      return endings === null || !this.#complete || !endings.every((ending) => this.#replica.holds(ending));
    };
  }

  /**
   * The database lacks something that it certainly had, such as a session that a credential proves, although the log was read and
   * does not show why. So it went back, whether or not this node had read what is missing.
   */
  foundBack(): void {
    if (this.#epoch !== null && !this.#closed) this.#beginAnew({ epoch: this.#epoch, foreign: false });
  }

  /** Takes a ring. Other texts, and acknowledgements of rings that this node did not send, are ignored. */
  heard(heard: unknown): void {
    const message = readRing(heard);
    if (message === null || message.from === this.id || this.#closed) return;
    if ('ring' in message) {
      // The read begins after the ring arrived, and so after the commit that it was rung for.
      this.#read((error) => {
        if (error) return this.#trouble('log', error);
        if (message.epoch !== undefined && message.epoch !== this.#epoch) return;
        this.#acknowledge(message.ring, message.from);
      });
      return;
    }
    if (message.to !== this.id || message.ack > this.#lastRing) return;
    for (const confirmation of this.#confirmations) {
      if (message.ack < confirmation.ring || !confirmation.others?.has(message.from)) continue;
      const { over, acknowledged, missing } = message;
      // An earlier acknowledgement that arrives late changes nothing.
      if (confirmation.others.get(message.from)?.over) continue;
      confirmation.others.set(message.from, { over, acknowledged, missing });
      confirmation.settle();
    }
  }

  /** Acknowledges a ring of another node: at once for this node, and again when its verifiers hold the ending. */
  #acknowledge(ring: number, to: string): void {
    let over = false;
    const life = this.#life;
    const say = (tally: Tally): void => {
      // Endings held at that time are dropped when the database goes back.
      if (life === this.#life)
        this.#attempt(() => this.#world.ring({ ack: ring, from: this.id, to, over, ...tally }));
    };
    const tallyNow = this.publisher.waitForAll((tally) => {
      over = true;
      say(tally);
    });
    if (!over) say(tallyNow());
  }

  #readNow(done: Done<void>): void {
    if (!this.#registered) {
      if (this.#closed) return done(new Error('this node is closed'));
      this.#register((error) => (error ? done(error) : this.#readNow(done)));
      return;
    }
    const asked = this.#world.now();
    const life = this.#life;
    const keepMs = this.#keepMs;
    // Commits of this process from before the question are in this answer at the latest, and never in a later one.
    const own = this.#own;
    this.#own = new Set();
    const failed: Done<void> = (fault) => {
      this.missed(fault);
      done(fault);
    };
    this.#world.database.readLog(
      this.#cursor,
      this.id,
      this.#checked((error, news) => {
        if (error || news === undefined || this.#closed) {
          // The node began anew because of this answer or another one: this very read must bring the new history.
          if (life !== this.#life && !this.#closed) return this.#readNow(done);
          for (const position of own) this.#own.add(position);
          return done(error ?? new Error('cannot read the log'));
        }
        if (news.beat === null) {
          // No logout waited for this node at that moment.
          this.#wasTakenOut();
          for (const position of own) this.#own.add(position);
          return this.#readNow(done);
        }
        const before = this.#given;
        this.#given = new Set(news.endings.map(({ position }) => position));
        this.#takeIn(
          news.endings.filter(
            ({ position }) => !before.has(position) && !own.has(position) && !this.#own.has(position),
          ),
        );
        // Keeping for longer since the question: this answer does not reach back far enough.
        const isShort = keepMs !== this.#keepMs;
        this.#cursor = isShort ? null : news.cursor;
        if (news.more || isShort) {
          // A page proves nothing: it does not hold everything committed before the question.
          for (const position of own) this.#own.add(position);
          return this.#readNow(done);
        }
        this.#complete = true;
        this.#freshness.prove(asked, 0);
        done(null);
      }, failed),
    );
  }

  /**
   * Checks, before an answer of the database is taken in, that it is of this node's epoch. If not, the node begins anew, and the
   * answer is an error like any other.
   * @param waiting receives what is thrown while the answer is taken in
   */
  #checked<T extends Provenance & { behind?: boolean }>(
    done: Done<T>,
    waiting: Done<never> = (fault) => this.#trouble('callback', fault),
  ): Done<T> {
    const life = this.#life;
    const beat = this.#beatKnown;
    const look: Done<T> = (error, answer) => {
      if (life !== this.#life) return done(new Error('asked before the database went back in time'));
      if (error || answer === undefined) return done(error, answer);
      // A closed node may still have logouts to confirm.
      const moved = answer.foreign || (this.#epoch !== null && answer.epoch !== this.#epoch);
      if (moved || answer.behind === true || (answer.beat !== null && answer.beat < beat)) {
        this.#beginAnew(answer);
        return done(new Error('the database went back in time'));
      }
      if (answer.settled) this.#settled = true;
      done(null, answer);
    };
    return (error, answer) => attempt(() => look(error, answer), waiting);
  }

  /** The replica is not of this database: it is dropped, and the node vouches for nothing until it has read it again. */
  #beginAnew({ epoch, foreign }: Pick<Provenance, 'epoch' | 'foreign'>): void {
    const left = this.#epoch ?? epoch;
    this.#life++;
    // Another process may have recorded the new epoch already. An older epoch, or the same, is that of a copy that went back.
    this.#stale = foreign || numberOf(epoch) <= numberOf(left) ? { seen: epoch, above: left } : null;
    this.#epoch = null;
    this.#settled = false;
    this.#registered = false;
    this.#complete = false;
    this.#beatKnown = 0;
    this.#cursor = null;
    this.#given.clear();
    this.#own.clear();
    this.#beats.clear();
    this.#replica = new Replica(this.#keepMs, this.#world.now().monotonicMs);
    this.#freshness = new Freshness(this.#leaseMs);
    // The registry that was asked was another one's.
    for (const confirmation of this.#confirmations) confirmation.others = null;
    this.publisher.dismiss();
    this.#attempt(() => this.#world.onBack());
    // The registration is void as well, before anything is trusted again.
    this.#attempt(() => this.#world.onGap());
    this.#trouble('went-back', epoch);
  }

  /** Lets what the replica or a listener throws pass: the ending then counts as not taken in. */
  #takeIn(endings: readonly Ending[]): void {
    const nowMs = this.#world.now().monotonicMs;
    for (const ending of endings) this.#replica.apply(ending, nowMs);
    this.publisher.publish(endings);
    for (const ending of endings) this.#world.onEnding(ending);
  }

  #register(done: Done<void>): void {
    if (this.#stale) {
      const stale = this.#stale;
      return this.#world.database.newEpoch(stale.seen, stale.above, (error) => {
        if (error) return done(error);
        if (this.#stale === stale) this.#stale = null;
        this.#register(done);
      });
    }
    const sent = this.#world.now();
    const life = this.#life;
    this.#world.database.register(
      this.id,
      this.#checked((error, answer) => {
        if (life !== this.#life && !this.#closed) return this.#register(done);
        if (error || answer === undefined) return done(error ?? new Error('the node was not registered'));
        if (this.#closed) return done(new Error('this node is closed'));
        this.#world.onGap();
        this.#beaten = new Freshness(BEAT_TRUSTED * this.#leaseMs);
        this.#beaten.prove(sent, 0);
        this.#beatKnown = Math.max(this.#beatKnown, answer.raised);
        // A read from before the registration is void: no logout waited for this node then.
        this.#freshness = new Freshness(this.#leaseMs);
        if (this.#epoch === null) {
          this.#epoch = answer.epoch;
          this.#epochSinceMs = this.#world.now().monotonicMs;
        }
        this.#registered = true;
        done(null);
      }, done),
    );
  }

  #beat(): void {
    const sent = this.#world.now();
    this.#world.database.beat(
      this.id,
      this.#checked((error, answer) => {
        if (error || answer === undefined) return this.#trouble('registry', error);
        if (answer.beat !== null) {
          this.#beaten.prove(sent, 0);
          this.#beatKnown = Math.max(this.#beatKnown, answer.raised);
          this.#settleEpoch();
          this.#takeOutSilent();
          return;
        }
        this.#wasTakenOut();
      }),
    );
  }

  /** The next read registers anew. */
  #wasTakenOut(): void {
    if (!this.#registered) return;
    this.#registered = false;
    this.#beatKnown = 0;
    this.#world.onGap();
    this.#trouble('taken-out', this.id);
  }

  /** A lease after this node entered the epoch, every earlier lease has expired. */
  #settleEpoch(): void {
    const epoch = this.#epoch;
    if (this.#settled || epoch === null) return;
    if (this.#world.now().monotonicMs - this.#epochSinceMs <= this.#waitMs) return;
    this.#world.database.settle(epoch, (error) => error && this.#trouble('registry', error));
  }

  #takeOutSilent(): void {
    const askedMs = this.#world.now().monotonicMs;
    this.#world.database.nodes(
      this.id,
      this.#checked((error, registry) => {
        if (error || registry === undefined) return this.#trouble('registry', error);
        const { nodes, epoch } = registry;
        // A beat that moved may have been sent as late as now; one that did not move was not sent before this question.
        const movedMs = this.#world.now().monotonicMs;
        this.#others = nodes.filter((node) => node.id !== this.id).length;
        for (const known of this.#beats.keys())
          if (!nodes.some((node) => node.id === known)) this.#beats.delete(known);
        for (const { id, beat } of nodes) {
          if (id === this.id) continue;
          const seen = this.#beats.get(id);
          if (!seen || seen.beat !== beat) this.#beats.set(id, { beat, movedMs });
          else if (askedMs - seen.movedMs > SILENT * this.#leaseMs)
            this.#world.database.takeOut(id, beat, epoch, (failed, gone) => {
              if (failed || !gone) return;
              this.#beats.delete(id);
              this.#trouble('silent', id);
            });
        }
      }),
    );
  }

  #attempt(work: () => void): void {
    attempt(work, (error) => this.#trouble('callback', error));
  }

  #trouble(what: Parameters<NodeWorld['onTrouble']>[0], detail: unknown): void {
    if (!this.#closed) this.#world.onTrouble(what, detail);
  }
}

/** The number in an epoch. */
const numberOf = (epoch: string): number => Number.parseInt(epoch, 10);
