import { Memory } from '@curfew/protocol/memory';
import { type Done, Node, type NodeWorld, type Propagation, type Ring } from '@curfew/protocol/node';
import {
  agreedVersion,
  FEED_VERSION,
  partMessage,
  type VerifierMessage,
} from '@curfew/protocol/feed-messages';
import type { Ending } from '@curfew/protocol/ending';
import type { Part, Verdict, Watched } from '@curfew/protocol/replica';
import type { Connection } from './connection.ts';
import { readToken } from './credentials.ts';
import { Process } from './process.ts';
import type { Database } from './database.ts';
import { TokenLife } from './token-life.ts';
import type { Plan } from './plan.ts';
import type { World } from './world.ts';
import {
  type Check,
  type Decision,
  type Learned,
  nameOf,
  probesOf,
  type Scope,
  type Session,
  type Truth,
} from './truth.ts';

/** The result of a check. `fault`: it could not be judged, which is a refusal. */
export type Answer = 'yes' | 'over' | 'no' | 'fault';

/** What a node needs from its surroundings. */
interface NodeSurroundings {
  readonly world: World;
  readonly plan: Plan;
  readonly database: Database;
  readonly truth: Truth;
  readonly doorbell: { ring(from: NodeProcess, message: Ring): void };
  authorityNowMs(process: Process): number;
  isOld(ending: Ending): boolean;
  /** A logout's event is committed and known, so the node must answer. */
  promise(node: NodeProcess, learned: Learned): void;
  kept(learned: Learned): void;
  /** Checks credentials that the ending covers at once. */
  hunt(decision: Decision): void;
}

/** One run of a node. A restart is another run, with empty memory and another id. */
export class NodeProcess {
  readonly name: string;
  readonly process: Process;
  readonly node: Node;
  readonly memory: Memory<Session>;
  readonly feeds = 1;
  readonly connections: Set<Connection> = new Set();
  /** The endings that were published to the verifiers, by number. */
  readonly published: (readonly Ending[])[] = [[]];
  /** Endings that wait for a confirmation at this node, in order, and how many of them each ring covers. */
  readonly asked: Decision[] = [];
  readonly rung: Map<number, number> = new Map();
  readonly #sim: NodeSurroundings;
  /** When the running reads of the log were sent, and when the newest answered one was. */
  #readMs = Number.NEGATIVE_INFINITY;
  retiring = false;
  readonly tokenLife: TokenLife;
  readonly #oddly: boolean;
  /** Positions of the endings that this process has committed. */
  readonly #committed = new Set<number>();

  constructor(sim: NodeSurroundings, name: string) {
    this.#sim = sim;
    this.name = name;
    this.#oddly = /[13579]$/.test(name);
    const { world, plan, database, truth } = sim;
    this.process = new Process(name, world, plan);
    this.tokenLife = new TokenLife(truth.tokenLifeMs);
    const db = database.forNode(this.process, () => this.node.keepMs);
    const nodeWorld: NodeWorld = {
      now: () => this.process.now(),
      after: (ms, work) => this.process.after(ms, work),
      every: (ms, work) => this.process.every(ms, work),
      authorityNowMs: () => sim.authorityNowMs(this.process),
      database: {
        ...db,
        readLog: (cursor, id, done) => {
          const sentMs = world.nowMs;
          // A node that begins again has an empty replica.
          if (cursor === null) this.#committed.clear();
          // What this process has committed and taken in may be left out, and is for every other process.
          const held = new Set(this.#oddly ? this.#committed : []);
          db.readLog(cursor, id, (error, answer) => {
            if (!error) this.#readMs = Math.max(this.#readMs, sentMs);
            // Before anything is taken in that was committed after the change.
            if (!error) this.learnTokenLife();
            const endings = answer?.endings.filter(({ position }) => !held.has(position)) ?? [];
            done(error, answer && { ...answer, endings: endings.map((ending) => this.#fragile(ending)) });
          });
        },
      },
      ring: (message) => sim.doorbell.ring(this, message),
      onEnding: (ending) => {
        const { seq } = this.node.publisher;
        this.published[seq] = [...(this.published[seq] ?? []), ending];
        this.failNow();
        this.memory.change(ending.changed, plan.believedMs);
        world.note(name, () => `takes in the ending ${ending.position}`);
      },
      onGap: () => {
        this.memory.forget();
        this.failNow();
      },
      onBack: () => {
        this.published.fill([]);
        for (const connection of this.connections) connection.end('node');
      },
      onTrouble: (what) => world.note(name, () => `has trouble: ${what}`),
    };
    this.node = new Node(name, nodeWorld, { ...plan, keepMs: plan.keepMs(this.tokenLife.longestMs) });
    this.memory = new Memory({
      capacity: 50,
      judge: (session) => this.node.judge(session),
      monotonicMs: () => this.process.now().monotonicMs,
    });
    this.#start();
  }

  #start(): void {
    this.node.start((error) => {
      if (error) this.process.after(this.#sim.plan.leaseMs / 4, () => this.#start());
      else this.#sim.world.note(this.name, () => 'has started');
    });
  }

  /** Verifiers get new terms over another connection. */
  learnTokenLife(): void {
    const { truth, plan } = this.#sim;
    if (!this.tokenLife.learn(truth.tokenLifeMs)) return;
    this.node.keepFor(plan.keepMs(this.tokenLife.longestMs));
    for (const connection of this.connections) connection.end('node');
  }

  /** Every function that a node calls may throw. */
  failNow(): void {
    const { world, plan } = this.#sim;
    if (plan.has('thrown') && world.nowMs < plan.healMs && world.random.chance(0.04))
      throw new Error('a listener failed');
  }

  #takeIn(decisions: readonly Decision[]): void {
    const taken = this.node.committed(...decisions.map(({ ending }) => this.#fragile(ending)));
    // Only after that may the log leave them out.
    if (taken) for (const { ending } of decisions) this.#committed.add(ending.position);
  }

  /** An ending that the node cannot take in: the first access throws. */
  #fragile(ending: Ending): Ending {
    let fails = false;
    try {
      this.failNow();
    } catch {
      fails = true;
    }
    if (!fails) return ending;
    return {
      ...ending,
      get ids() {
        if (!fails) return ending.ids;
        fails = false;
        throw new Error('the ending cannot be taken in');
      },
    };
  }

  judge(session: Watched): Verdict {
    return this.node.judge(session);
  }

  holds(ending: Ending): boolean {
    return Process.observe(() => probesOf(ending).every((probe) => this.node.replica.ends(probe)));
  }

  /** A credential is checked here. */
  check(text: string, check: Check, done: (answer: Answer) => void): void {
    const { world, truth, plan, database } = this.#sim;
    const { process, memory } = this;
    const known = process.check(() => memory.recall(text, this.#sim.authorityNowMs(process)));
    if (process.dead) return;
    if (known === 'ended') {
      truth.refused(check, this.node.epoch !== null && this.node.epoch === database.epoch);
      return done('over');
    }
    if (known !== null && known !== 'unsure') {
      // A sole node does not read the log, because it has committed every ending itself.
      if (!plan.sole && world.nowMs - this.#readMs > plan.leaseMs * 1.011)
        throw world.broken('G3', `${this.name} answers from a memory that nothing has proven for a lease`);
      truth.accepted(check, true);
      return done('yes');
    }
    const { mark } = memory;
    const askedMs = process.now().monotonicMs;
    const expiresAtMs = this.#expiry(text, check.session);
    if (expiresAtMs === null || expiresAtMs <= this.#sim.authorityNowMs(process)) return done('no');
    database.check(process, check.session, (error, found) => {
      if (error) return done('fault');
      // A token of this very epoch whose session has no row.
      if (found === 'unknown' && readToken(text)?.epoch === this.node.epoch) this.node.foundBack();
      if (found !== 'alive') return done('no');
      const { session } = check;
      const { believedMs } = plan;
      memory.remember({
        text,
        session: session.watched,
        value: session,
        expiresAtMs,
        askedMs,
        believedMs,
        mark,
      });
      truth.accepted(check, false);
      done('yes');
    });
  }

  #expiry(text: string, session: Session): number | null {
    if (session.kind === 'opaque') return Number.POSITIVE_INFINITY;
    return readToken(text)?.expiresAtMs ?? null;
  }

  /** Logouts arrive here, mostly one. They share one statement, and so one commit. */
  end(scope: Scope, by: readonly Session[], done: (error: unknown) => void): void {
    const { world, truth, database } = this.#sim;
    world.note(this.name, () => `is asked to end ${scope} by ${by.map(nameOf).join(' and by ')}`);
    database.end(this.process, scope, by, (error, answer) => {
      // A store that does not answer: not logged out, try again.
      if (error || answer === undefined) return done(error);
      const { life, decided } = answer;
      const decisions = decided.filter((decision) => decision !== null);
      const over = by.filter((_, i) => decided[i] === null);
      if (decisions.length > 0) {
        const learned = this.#promise(life);
        this.#takeIn(decisions);
        this.asked.push(...decisions);
        const endings = decisions.map(({ ending }) => ending);
        this.node.confirm((failed, propagation) => {
          if (propagation) for (const decision of decisions) truth.told(this, decision, learned, propagation);
          this.#sim.kept(learned);
          if (propagation) for (const decision of decisions) this.#sim.hunt(decision);
          done(failed);
        }, endings);
      }
      for (const one of over) this.#endNothing(one, life, done);
    });
  }

  /** There was nothing to end. A session with a credential and without a row was lost with its database. */
  #endNothing(session: Session, life: number, done: (error: unknown) => void): void {
    const { truth, database } = this.#sim;
    database.check(this.process, session, (error, found) => {
      if (error) return done(error);
      if (found === 'unknown') {
        this.node.foundBack();
        return done(new Error('the session was lost'));
      }
      const learned = this.#promise(life);
      this.node.confirmEarlier((failed) => {
        if (!failed) truth.toldNothing(this, session, learned);
        this.#sim.kept(learned);
        done(failed);
      });
    });
  }

  /** Ends a list of sessions, of which some may be over already: one ending, and one answer for all of them. */
  endList(named: readonly Session[], done: (error: unknown) => void): void {
    const { world, truth, database } = this.#sim;
    world.note(this.name, () => `is asked to end the list ${named.map(nameOf).join(', ')}`);
    database.endList(this.process, named, (error, result) => {
      if (error || result === undefined) return done(error);
      const { life, decided: decision } = result;
      const learned = this.#promise(life);
      const ended = decision?.listed ?? [];
      if (decision) {
        this.#takeIn([decision]);
        this.asked.push(decision);
      }
      const answer: Done<Propagation> = (failed, propagation) => {
        if (propagation) {
          if (decision) truth.told(this, decision, learned, propagation);
          // Until a node notices that the database went back, it cannot know whether an id without a row was lost.
          for (const one of named)
            if (!ended.includes(one) && (one.there || database.epoch !== null))
              truth.toldNothing(this, one, learned);
        }
        this.#sim.kept(learned);
        if (propagation && decision) this.#sim.hunt(decision);
        done(failed);
      };
      if (ended.length === named.length) this.node.confirm(answer, decision ? [decision.ending] : []);
      else this.node.confirmEarlier(answer);
    });
  }

  /** From now on the node must answer. */
  #promise(life: number): Learned {
    const { suspendedMs } = this.process;
    const learned = { atMs: this.#sim.world.nowMs, suspendedMs, life, epoch: this.node.epoch };
    this.#sim.promise(this, learned);
    return learned;
  }

  /** A ring is sent. Its content must be true. */
  says(ring: Ring, to: NodeProcess | undefined): void {
    if ('ring' in ring) this.rung.set(ring.ring, this.asked.length);
    else if (to) {
      const spokenFor = to.rung.get(ring.ack) ?? 0;
      for (const decision of to.asked.slice(0, spokenFor))
        if (!decision.lost && !this.#sim.isOld(decision.ending) && !this.holds(decision.ending))
          throw this.#sim.world.broken('acknowledged', `${this.name} acknowledges what it does not hold`);
    }
  }

  /** A verifier's message arrives. */
  hears(connection: Connection, message: VerifierMessage): void {
    const { world, plan } = this.#sim;
    const { publisher } = this.node;
    switch (message.t) {
      case 'hello': {
        if (connection.feed) return;
        const { epoch } = this.node;
        if (epoch === null) return connection.end('node');
        const version = agreedVersion(message) ?? FEED_VERSION;
        const feed = publisher.join((out) => connection.toVerifier(out), version);
        connection.feed = feed;
        connection.toVerifier({
          t: 'welcome',
          v: version,
          node: this.name,
          lease: plan.leaseMs,
          keep: this.node.keepMs,
          tokenLife: this.tokenLife.longestMs,
          issuer: 'simulator',
          epoch,
        });
        this.#sendSnapshot(connection, publisher.seq, this.node.replica.parts(), 0);
        return;
      }
      case 'renew':
        if (connection.feed) this.node.renew(connection.feed, message.n);
        return;
      case 'ack':
        if (connection.feed) publisher.acknowledge(connection.feed, message.seq);
        return;
      case 'used':
        world.note(this.name, () => 'hears of activity');
    }
  }

  /** Sends it in pieces. Between two pieces anything can happen. */
  #sendSnapshot(connection: Connection, seq: number, parts: Iterator<Part>, sent: number): void {
    if (!connection.nodeOpen) return;
    const { world, plan } = this.#sim;
    let count = sent;
    for (;;) {
      const { value, done } = parts.next();
      if (done) break;
      connection.toVerifier(partMessage(value));
      count++;
      if (plan.has('slow-snapshots') && world.random.chance(0.5)) {
        world.after(world.random.between(0, 0.1 * plan.leaseMs), () =>
          this.process.deliver(() => this.#sendSnapshot(connection, seq, parts, count)),
        );
        return;
      }
    }
    connection.toVerifier({ t: 'snapshot', seq, parts: count });
  }

  /** This end considers the connection closed. */
  lost(connection: Connection): void {
    this.connections.delete(connection);
    if (connection.feed) this.node.publisher.leave(connection.feed);
  }

  /** Closes in order: disconnects the verifiers, waits for them, and removes its row at the end. */
  close(): void {
    if (this.retiring || this.process.dead) return;
    const { world, database } = this.#sim;
    this.retiring = true;
    world.note(this.name, () => 'closes');
    if (world.random.chance(0.5)) for (const connection of this.connections) connection.end('node');
    this.node.close(() => {
      for (const connection of this.connections) connection.end('node');
      database.remove(this.process, this.name, () => this.process.kill());
    });
  }
}
