import { attempt } from './attempt.ts';
import type { Clock } from './clock.ts';
import type { Ending } from './endings.ts';
import { Freshness, marginMs } from './freshness.ts';
import { type Feed, Publisher, type Tally } from './publisher.ts';
import { Replica, type Verdict, type Watched } from './replica.ts';
import { type Ring, readRing } from './rings.ts';

export type { Ring } from './rings.ts';

/** What a logout is told of the propagation of its event. */
export interface Propagation {
  /** Other replicas, nodes and verifiers, that said they hold it. */
  acknowledged: number;
  /** Replicas that did not say so, and that have stopped trusting their memory by now. */
  waitedOut: number;
}

export type Done<T> = (error: unknown, answer?: T) => void;

/**
 * Which database a statement was answered by, as that statement's own snapshot saw it. A database can go back under its nodes:
 * a standby that had not received the last commits takes over, or a copy is restored. Its history up to then, and from then on, is
 * an *epoch*, recorded in the database.
 */
export interface Standing {
  /** The recorded epoch, `<number>.<random>`: the number grows. */
  epoch: string;
  /** The epoch was recorded on another server, timeline or database than the one that answers: nobody has begun a new one yet. */
  foreign: boolean;
  /** The epoch is so old that whoever was fresh before it is so no longer: whoever may be fresh is in the registry. */
  settled: boolean;
  /** This node's beat before the statement; null when the node is not in the registry. */
  beat: number | null;
}

/** What a node asks of the database. Every answer is of one snapshot that was taken after the asking. */
export interface NodeDatabase {
  /**
   * Enters the node into the registry, with a beat that no node has had before, even if it is there already: whoever is
   * about to take it out by an older beat does not. Answers after the commit, with the new beat.
   */
  register(id: string, done: Done<Standing & { raised: number }>): void;
  /** Raises the beat of a node that is in the registry. */
  beat(id: string, done: Done<Standing & { raised: number }>): void;
  /** @param id the node that asks */
  nodes(id: string, done: Done<Standing & { nodes: readonly { id: string; beat: number }[] }>): void;
  /** Takes a node out whose beat still is what it was, in the same epoch. */
  takeOut(id: string, beat: number, epoch: string, done: Done<boolean>): void;
  /**
   * Every ending at or above the cursor that is committed, and the cursor to go on from: below it every transaction is over, so
   * nothing can appear there any more. Without a cursor, everything that can still matter to anybody. With `more` it was
   * only the first of it, and the cursor leads to the rest. Endings that this node was given by `committed` may be left
   * out. `behind`: the database has not come as far as the cursor, or lacks an ending that it gave before.
   * @param id the node that asks
   */
  readLog(
    cursor: string | null,
    id: string,
    done: Done<Standing & { endings: readonly Ending[]; cursor: string; more?: boolean; behind?: boolean }>,
  ): void;
  /**
   * Records a new epoch of the database that answers, numbered above both, unless another process has recorded one in place
   * of `seen` meanwhile.
   */
  newEpoch(seen: string, above: string, done: Done<void>): void;
  /** Whoever was fresh before the epoch is so no longer. */
  settle(epoch: string, done: Done<void>): void;
}

/** What the outside gives a node. */
export interface NodeWorld extends Clock {
  database: NodeDatabase;
  ring(message: Ring): void;
  /** The clock by which the authority dates tokens, in milliseconds since 1970. */
  authorityNowMs(): number;
  /** An ending is in the replica now; told once for each, as far as that can be known. */
  onEnding(ending: Ending): void;
  /** This node was taken out of the registry: what it was told by the database before this counts for nothing. */
  onGap(): void;
  /** The database has gone back: this node begins anew, and so must whoever follows it. Their connections are to be closed. */
  onBack(): void;
  onTrouble(
    what: 'log' | 'registry' | 'taken-out' | 'silent' | 'went-back' | 'taking-in' | 'callback',
    detail: unknown,
  ): void;
}

/**
 * A node trusts itself for this many leases after the last beat that it sent. A verifier of it may trust itself for one more.
 */
const BEAT_TRUSTED = 3;
/** It is taken out by the others when its beat has not moved for this many. */
const SILENT = 5;

/** A database that went back after a commit may have lost it: nobody can be told that it is true. */
export class WentBack extends Error {
  override name = 'WentBack';

  constructor() {
    super('the database has gone back, and may have lost what it had committed');
  }
}

interface Confirmation {
  /** Acknowledgements of this ring, or a later one, count. */
  ring: number;
  /** What each other node has said, if anything; null while the registry is being read. */
  others: Map<string, (Tally & { over: boolean }) | null> | null;
  settle(): void;
}

/**
 * One process of the authority. It registers, follows the log, and answers from memory while it is fresh; it keeps its
 * verifiers fresh; and it tells a logout when its event is true everywhere (docs/guarantee.md).
 */
export class Node {
  readonly id: string;
  /** For how long an entry stays in the replica at least. */
  readonly keepMs: number;
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
  /** The database's epoch that everything here is of; null before it is known. */
  #epoch: string | null = null;
  #epochSinceMs = 0;
  #settled = false;
  /** The database has gone back from this epoch: a new one has to be recorded before anything else. */
  #stale: { seen: string; above: string } | null = null;
  /** Raised when the database has gone back: what was asked before is of a past that never was. */
  #life = 0;
  /** The highest beat of this node that is surely committed. */
  #beatKnown = 0;
  #others = 0;
  #registered = false;
  /** As of when this node was surely registered: when the last beat was sent that was answered. */
  #beaten: Freshness;
  #cursor: string | null = null;
  /** A sole node that has looked who was there before it. */
  #succeeded = false;
  /** The log was read to its end: the replica holds all that ended before this node began. */
  #whole = false;
  /** Positions that the last read gave, and a later one may give again. */
  #given = new Set<number>();
  /** Positions that this process has committed since the last read was asked for. */
  #own = new Set<number>();
  #lastRing = 0;
  readonly #stops: (() => void)[] = [];
  #retiring = false;
  #closed = false;

  /**
   * @param options.keepMs longer than any credential lives that is judged by a replica alone
   * @param options.sole nobody but this process writes to the database, and it takes in what it commits: it is always fresh
   */
  constructor(id: string, world: NodeWorld, options: { leaseMs: number; keepMs: number; sole?: boolean }) {
    this.id = id;
    this.#world = world;
    this.keepMs = options.keepMs;
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
      // Nobody else can be there, but for the verifiers of one that was killed.
      if (this.#sole) return this.#succeeded ? done(null, []) : done(new Error('not started yet'));
      world.database.nodes(
        id,
        this.#checked((error, registry) => {
          if (error || registry === undefined) return done(error ?? new Error('the registry cannot be read'));
          // Registrations may be lost with the rest, and those nodes still be fresh.
          if (!registry.settled) return done(new Error('the database has gone back a moment ago'));
          done(
            null,
            registry.nodes.map((node) => node.id).filter((other) => other !== id),
          );
        }, done),
      );
    }, onFault);
  }

  /** The cuts and ended ids that this node holds. */
  get replica(): Replica {
    return this.#replica;
  }

  /** The database's epoch that this node knows; null while it finds that out. Take it before what it is to vouch for is asked. */
  get epoch(): string | null {
    return this.#epoch;
  }

  /** Registers and reads. Answers when the node is fresh for the first time, or with what failed. */
  start(done: Done<void>): void {
    this.#read((error) => {
      if (error) return done(error);
      this.#stops.push(
        this.#world.every(this.#leaseMs / 4, () => {
          if (!this.#sole || !this.#whole) this.catchUp((failed) => failed && this.#trouble('log', failed));
        }),
      );
      if (this.#sole) return this.#succeed(done);
      this.#stops.push(this.#world.every(this.#leaseMs, () => this.#beat()));
      done(null);
    });
  }

  /** A sole node that finds another in the registry comes after one that was killed: what that one's verifiers trust lives on. */
  #succeed(done: Done<void>): void {
    const { database } = this.#world;
    database.nodes(this.id, (error, registry) => {
      if (error || registry === undefined) return done(error ?? new Error('the registry cannot be read'));
      const dead = registry.nodes.filter((node) => node.id !== this.id);
      if (dead.length > 0) this.publisher.inherit();
      this.#succeeded = true;
      // One that stays for now only has the next start wait again.
      for (const { id, beat } of dead)
        database.takeOut(id, beat, registry.epoch, (failed) => failed && this.#trouble('registry', failed));
      done(null);
    });
  }

  /**
   * Ends the node: no verifier is renewed any more, and it answers when none trusts itself by this node's word. Until then
   * other nodes go on waiting for it; take it out of the registry after this.
   */
  close(done: () => void): void {
    this.#retiring = true;
    this.publisher.whenNoneTrusts(() => {
      this.#closed = true;
      for (const stop of this.#stops) stop();
      done();
    });
  }

  /** A verifier asks for a renewal. It gets none while this node cannot vouch for anything. */
  renew(feed: Feed, n: number): void {
    const ageMs = this.ageMs();
    if (ageMs < this.#leaseMs && !this.#retiring)
      this.publisher.renew(feed, n, ageMs, this.#world.authorityNowMs());
  }

  /** What this node's memory says of a session that it was told of. */
  judge(session: Watched): Verdict {
    if (this.#replica.ends(session)) return 'ended';
    // The clock comes last: whoever was suspended in the line above finds the lease over here.
    return this.isFresh() ? 'alive' : 'unsure';
  }

  /** Whether the replica may answer; see Freshness. Look here last. */
  isFresh(): boolean {
    return this.ageMs() < this.#leaseMs;
  }

  /** How old this node's knowledge is; infinite when it may not be trusted at all. */
  ageMs(): number {
    if (this.#sole) return this.#registered && this.#whole && !this.#closed ? 0 : Number.POSITIVE_INFINITY;
    const now = this.#world.now();
    const trusted =
      this.#registered && !this.#closed && this.#beaten.isFresh(now) && this.#freshness.isFresh(now);
    return trusted ? this.#freshness.ageMs(now) : Number.POSITIVE_INFINITY;
  }

  /** Other nodes that were seen at the last look. */
  get others(): number {
    return this.#others;
  }

  /** For how many milliseconds the beat of another node has not been seen to move; undefined when it was never looked at. */
  stillMs(id: string): number | undefined {
    const seen = this.#beats.get(id);
    return seen && this.#world.now().monotonicMs - seen.movedMs;
  }

  /** Reads the log. When it answers, everything committed before the call is in the replica, and sent to the verifiers. */
  catchUp(done: Done<void>): void {
    this.#read(done);
  }

  /**
   * Takes in endings that this process has committed itself, before the log is read again. What was committed together is
   * given together: it goes to the verifiers as one message. False when they were not taken in: then the log has to give them.
   */
  committed(...endings: readonly Ending[]): boolean {
    // Of which epoch they are is not known then; the history is read next, and has them if the database has.
    if (this.#epoch === null) return false;
    const news = endings.filter(({ position }) => !this.#given.has(position));
    try {
      this.#takeIn(news);
    } catch (error) {
      this.missed(error);
      return false;
    }
    // A sole node reads no log: nothing is given again.
    if (!this.#sole) for (const { position } of news) this.#own.add(position);
    return true;
  }

  /** Something that ended could not be taken in: nothing is trusted until the log was read anew from where its history begins. */
  missed(error: unknown): void {
    this.#whole = false;
    this.#cursor = null;
    this.#given.clear();
    this.#freshness = new Freshness(this.#leaseMs);
    this.#trouble('taking-in', error);
  }

  /**
   * Call it after the commit, and after `committed`, with the same. Answers when no other replica accepts a credential of an ended
   * session any more: when all have said that they hold the ending, or when none that has not can trust its memory. Never later
   * than the lease and its margin, whatever is down. Fails when the database has gone back meanwhile, and lacks the ending.
   */
  confirm(done: Done<Propagation>, endings: readonly Ending[]): void {
    // The verifiers may lack what this node has not taken in.
    if (!this.#whole) return this.#confirmRead(done, endings);
    const isLost = this.#doubt(endings);
    let waiting = true;
    const answer = (): void => {
      if (!waiting) return;
      waiting = false;
      stopDeadline();
      this.#confirmations.delete(confirmation);
      const { acknowledged, missing } = verifiers();
      const standing = { acknowledged, waitedOut: missing };
      for (const other of confirmation.others?.values() ?? []) {
        standing.acknowledged += other ? other.acknowledged + 1 : 0;
        standing.waitedOut += other ? other.missing : 1;
      }
      if (confirmation.others === null) standing.waitedOut += this.#others;
      this.#attempt(() => (isLost() ? done(new WentBack()) : done(null, standing)));
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
    // One millisecond more: a timer may come early by its own rounding, the end of a lease may not.
    const stopDeadline = this.#world.after(this.#waitMs + 1, answer);
    const verifiers = this.publisher.waitForAll(() => {
      verifiersDone = true;
      confirmation.settle();
    });
    // Whoever is not in the registry now registered later, and is told only what is true after this commit.
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
   * The same for an ending that somebody else has committed before now, and that may not be in memory here yet: it is read
   * first, so that the verifiers are waited for that do not have it. Never later than `confirm` either. Fails whenever the
   * database has gone back meanwhile: what it was is not known by name.
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
   * Whether what was committed before now has to count as lost, whenever it is asked: the database has gone back since, and what it
   * is now does not end the same.
   * @param endings null: not known by name
   */
  #doubt(endings: readonly Ending[] | null): () => boolean {
    // While the epoch is looked for nobody knows of which one the commit was.
    const life = this.#epoch === null ? null : this.#life;
    return () => {
      if (life === this.#life) return false;
      return endings === null || !this.#whole || !endings.every((ending) => this.#replica.holds(ending));
    };
  }

  /**
   * Somebody has found the database without what it surely had, though the log was read and does not say why: a session that a
   * credential proves, for example. So it has gone back, whether or not this node had read what it lacks.
   */
  foundBack(): void {
    if (this.#epoch !== null && !this.#closed) this.#beginAnew({ epoch: this.#epoch, foreign: false });
  }

  /** A ring was heard. What is none, or answers a ring that this node has not rung, is passed over. */
  heard(heard: unknown): void {
    const message = readRing(heard);
    if (message === null || message.from === this.id || this.#closed) return;
    if ('ring' in message) {
      // The read begins after the ring was heard, and so after the commit that it was rung for.
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
      // An early word that comes late takes nothing back.
      if (confirmation.others.get(message.from)?.over) continue;
      confirmation.others.set(message.from, { over, acknowledged, missing });
      confirmation.settle();
    }
  }

  /** Says to another node that this one holds what it rang for: at once for itself, and again when its verifiers do. */
  #acknowledge(ring: number, to: string): void {
    let over = false;
    const life = this.#life;
    const say = (tally: Tally): void => {
      // What was held then is dropped when the database goes back.
      if (life === this.#life)
        this.#attempt(() => this.#world.ring({ ack: ring, from: this.id, to, over, ...tally }));
    };
    const standing = this.publisher.waitForAll((tally) => {
      over = true;
      say(tally);
    });
    if (!over) say(standing());
  }

  #readNow(done: Done<void>): void {
    if (!this.#registered) {
      if (this.#closed) return done(new Error('this node is closed'));
      this.#register((error) => (error ? done(error) : this.#readNow(done)));
      return;
    }
    const asked = this.#world.now();
    const life = this.#life;
    // What was committed here before the asking is given by this read at the latest, if at all, and never after it anew.
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
          // Begun anew by what this answer says, or another one: this very read is to tell of the new history.
          if (life !== this.#life && !this.#closed) return this.#readNow(done);
          for (const position of own) this.#own.add(position);
          return done(error ?? new Error('the log cannot be read'));
        }
        if (news.beat === null) {
          // Nobody waited for this node at that moment.
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
        this.#cursor = news.cursor;
        if (news.more) {
          // A page proves nothing: not everything that was committed before it was asked for is in it.
          for (const position of own) this.#own.add(position);
          return this.#readNow(done);
        }
        this.#whole = true;
        this.#freshness.prove(asked, 0);
        done(null);
      }, failed),
    );
  }

  /**
   * Looks, before an answer of the database is taken in, whether it is of this node's epoch. If it is not, the node begins anew, and
   * the answer is an error like any other.
   * @param waiting is told what is thrown while the answer is taken in
   */
  #checked<T extends Standing & { behind?: boolean }>(
    done: Done<T>,
    waiting: Done<never> = (fault) => this.#trouble('callback', fault),
  ): Done<T> {
    const life = this.#life;
    const beat = this.#beatKnown;
    const look: Done<T> = (error, answer) => {
      if (life !== this.#life) return done(new Error('asked before the database went back'));
      if (error || answer === undefined) return done(error, answer);
      // A node that is closed has logouts to confirm still.
      const moved = answer.foreign || (this.#epoch !== null && answer.epoch !== this.#epoch);
      if (moved || answer.behind === true || (answer.beat !== null && answer.beat < beat)) {
        this.#beginAnew(answer);
        return done(new Error('the database has gone back'));
      }
      if (answer.settled) this.#settled = true;
      done(null, answer);
    };
    return (error, answer) => attempt(() => look(error, answer), waiting);
  }

  /** Nothing that is held here is of this database: all of it is dropped, and until it is read again nothing is vouched for. */
  #beginAnew({ epoch, foreign }: Pick<Standing, 'epoch' | 'foreign'>): void {
    const left = this.#epoch ?? epoch;
    this.#life++;
    // Another process may have recorded the new epoch already; an older one, or the same, is of a copy that has gone back.
    this.#stale = foreign || numberOf(epoch) <= numberOf(left) ? { seen: epoch, above: left } : null;
    this.#epoch = null;
    this.#settled = false;
    this.#registered = false;
    this.#whole = false;
    this.#beatKnown = 0;
    this.#cursor = null;
    this.#given.clear();
    this.#own.clear();
    this.#beats.clear();
    this.#replica = new Replica(this.keepMs, this.#world.now().monotonicMs);
    this.#freshness = new Freshness(this.#leaseMs);
    // What was asked of the registry was asked of another one.
    for (const confirmation of this.#confirmations) confirmation.others = null;
    this.publisher.dismiss();
    this.#attempt(() => this.#world.onBack());
    // Before anything is trusted again, the registration forgets as well.
    this.#attempt(() => this.#world.onGap());
    this.#trouble('went-back', epoch);
  }

  /** Throws what the replica or a listener throws: then it counts as not taken in. */
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
        // What was read before the registration was read when no logout waited for this node.
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

  /** A lease after this node has come into the epoch, nobody trusts anything that was proven before it. */
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
        // A beat that moved may have been sent as late as now; one that has not moved had not when this was asked.
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

/** The number of an epoch. */
const numberOf = (epoch: string): number => Number.parseInt(epoch, 10);

/**
 * Work of which one run serves everybody who asked before it began; whoever asks during a run gets the next one. Whatever
 * throws, the work or somebody who is answered: all are answered, once, and the next run follows.
 */
function shared<T>(
  work: (done: Done<T>) => void,
  onFault: (error: unknown) => void,
): (done: Done<T>) => void {
  let running = false;
  let asking: Done<T>[] = [];
  const run = (): void => {
    const served = asking;
    asking = [];
    running = true;
    let waiting = true;
    const over: Done<T> = (error, answer) => {
      if (!waiting) return;
      waiting = false;
      running = false;
      for (const done of served) attempt(() => done(error, answer), onFault);
      if (asking.length > 0 && !running) run();
    };
    attempt(() => work(over), over);
  };
  return (done) => {
    asking.push(done);
    if (!running) run();
  };
}
