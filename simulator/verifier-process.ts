import type { Ending } from '@curfew/protocol/ending';
import { FEED_VERSION, type NodeMessage } from '@curfew/protocol/feed-messages';
import { Memory } from '@curfew/protocol/memory';
import { type Verdict, type Watched, watch } from '@curfew/protocol/replica';
import { Subscriber } from '@curfew/protocol/subscriber';
import { Connection, type Network } from './connection.ts';
import { type Claims, readToken } from './credentials.ts';
import type { Database } from './database.ts';
import type { Answer, NodeProcess } from './node-process.ts';
import { Process } from './process.ts';
import { type Check, probesOf, type Truth } from './truth.ts';

/** What a verifier needs from its surroundings. */
interface VerifierSurroundings extends Network {
  readonly truth: Truth;
  readonly database: Database;
  /** A node to connect to; null while there is none. */
  anyNode(): NodeProcess | null;
  /** Asks a node over the network. */
  askNode(
    from: VerifierProcess,
    text: string,
    check: Check,
    done: (answer: Answer, epoch?: string | null) => void,
  ): void;
}

/** One run of a service that uses the verifier. */
export class VerifierProcess {
  readonly name: string;
  readonly process: Process;
  readonly subscriber: Subscriber;
  readonly memory: Memory<null>;
  /** The connections that it has had. It may have acknowledged to the node of each. */
  feeds = 0;
  /** The version of the feed that it speaks. One of version 1 does not know every kind of cut. */
  readonly version: number;
  readonly #sim: VerifierSurroundings;
  #connection: Connection | null = null;
  /** When it requested renewals, and the newest one that was answered. */
  readonly #askedMs = new Map<number, number>();
  #provenMs = Number.NEGATIVE_INFINITY;

  constructor(sim: VerifierSurroundings, name: string) {
    this.#sim = sim;
    this.name = name;
    const { world, plan } = sim;
    this.version = world.random.chance(0.2) ? 1 : FEED_VERSION;
    this.process = new Process(name, world, plan);
    this.subscriber = new Subscriber(name, {
      now: () => this.process.now(),
      send: (message) => {
        if (message.t === 'renew') this.#askedMs.set(message.n, world.nowMs);
        const { newest: _, ...inVersion1 } = { newest: 0, ...message };
        this.#connection?.toNode(this.version === 1 ? inVersion1 : message);
      },
      reconnect: (why) => {
        world.note(name, () => `gives its connection up: ${why}`);
        this.#connection?.end('verifier');
        this.#again();
      },
      onEnding: ({ changed }) => this.memory.change(changed, plan.believedMs),
      onNewReplica: () => this.memory.forget(),
    });
    this.memory = new Memory({
      capacity: 50,
      judge: (session) => this.subscriber.judge(session),
      monotonicMs: () => this.process.now().monotonicMs,
    });
    this.process.every(plan.leaseMs / 4, () => {
      if (this.#connection) this.subscriber.tick();
    });
    this.#again();
  }

  /** Connects, to any node. */
  #again(): void {
    this.#connection = null;
    this.process.after(this.#sim.world.random.between(0.5, 0.2 * this.#sim.plan.leaseMs), () => {
      if (this.#connection) return;
      const node = this.#sim.anyNode();
      if (!node) return this.#again();
      this.feeds++;
      this.#connection = new Connection(this.#sim, node, this);
      this.#sim.world.note(this.name, () => `connects to ${node.name}`);
      this.subscriber.connected();
    });
  }

  get connection(): Connection | null {
    return this.#connection;
  }

  lost(connection: Connection): void {
    if (connection === this.#connection) this.#again();
  }

  hears(connection: Connection, message: NodeMessage): void {
    if (connection !== this.#connection) return;
    if (message.t === 'renewed') {
      const askedMs = this.#askedMs.get(message.n);
      if (askedMs !== undefined) this.#provenMs = Math.max(this.#provenMs, askedMs - message.age);
    }
    this.subscriber.received(message);
  }

  judge(session: Watched): Verdict {
    return this.subscriber.judge(session);
  }

  holds(ending: Ending): boolean {
    return Process.observe(() => probesOf(ending).every((probe) => this.subscriber.judge(probe) === 'ended'));
  }

  check(text: string, check: Check, done: (answer: Answer) => void): void {
    const { truth, world } = this.#sim;
    const { process } = this;
    const jwt = check.session.kind === 'jwt';
    const fresh = Process.observe(() => this.subscriber.isFresh());
    const suspendedMs = process.suspendedMs;
    const verdict = process.check(() => this.#judgeHere(text, jwt));
    if (process.dead) return;
    switch (verdict) {
      case 'alive':
        if (world.nowMs - this.#provenMs > this.#sim.plan.leaseMs * 1.011)
          throw world.broken('G3', `${this.name} answers from a memory that nothing has proven for a lease`);
        truth.accepted(check, true);
        return done('yes');
      case 'ended':
        truth.refused(check, this.#isCurrent());
        return done('over');
      case 'bad':
        return done('no');
      case 'foreign':
        return this.#ask(text, check, done);
      case 'unsure':
        // A token of an older node does not say whether a cut of a tenant or a login ends its session.
        if (jwt && fresh && suspendedMs === process.suspendedMs && readToken(text)?.facts.tenant !== null)
          throw world.broken('G3', `${this.name} is fresh and asks about a JWT`);
        return this.#ask(text, check, done);
    }
  }

  #isCurrent(): boolean {
    return this.subscriber.terms?.epoch === this.#sim.database.epoch;
  }

  /** This process's own verdict. */
  #judgeHere(text: string, jwt: boolean): Verdict | 'bad' | 'foreign' {
    const { memory, subscriber } = this;
    const nowMs = subscriber.authorityNowMs();
    if (nowMs === null) return 'unsure';
    const known = memory.recall(text, nowMs);
    if (known === 'ended' || known === 'unsure') return known;
    if (known !== null) return 'alive';
    if (!jwt) return 'unsure';
    const claims = readToken(text);
    if (claims === null || claims.expiresAtMs <= nowMs) return 'bad';
    // An ending is not kept for as long as a token lives that has a longer life than the node names.
    const isLong = claims.expiresAtMs - claims.issuedMs > (subscriber.terms?.tokenLife ?? 0);
    if (isLong || !subscriber.mayJudge(claims.epoch ?? undefined)) return 'foreign';
    return this.#judgeToken(text, claims);
  }

  #judgeToken(text: string, { facts, expiresAtMs }: Claims): Verdict {
    const session = watch(facts);
    const { mark } = this.memory;
    const askedMs = this.process.now().monotonicMs;
    const verdict = this.subscriber.judge(session);
    const believedMs = Number.POSITIVE_INFINITY;
    if (verdict === 'alive')
      this.memory.remember({ text, session, value: null, expiresAtMs, askedMs, believedMs, mark });
    return verdict;
  }

  #ask(text: string, check: Check, done: (answer: Answer) => void): void {
    const { truth, plan, world } = this.#sim;
    const { mark } = this.memory;
    const asked = this.process.now();
    const askedMs = world.nowMs;
    this.#sim.askNode(this, text, check, (answer, epoch) => {
      const now = this.process.now();
      // An answer that took longer than the lease is void.
      const old =
        now.monotonicMs - asked.monotonicMs >= plan.leaseMs ||
        Math.abs(now.wallMs - asked.wallMs) >= plan.leaseMs;
      if (answer !== 'yes' || old) return done(answer === 'yes' ? 'fault' : answer);
      const session = check.session.watched;
      if (this.subscriber.judge(session) === 'ended') {
        truth.refused(check, this.#isCurrent());
        return done('over');
      }
      this.memory.remember({
        text,
        session,
        value: null,
        expiresAtMs: readToken(text)?.expiresAtMs ?? Number.POSITIVE_INFINITY,
        askedMs: asked.monotonicMs,
        // Before a node has said for how long it keeps endings, the verifier uses no answer twice. It also uses no answer twice of a node
        // that does not know yet that the database has gone back.
        believedMs:
          this.subscriber.terms && this.subscriber.mayJudge(epoch ?? undefined) ? plan.believedMs : 0,
        mark,
      });
      if (world.nowMs - askedMs > plan.leaseMs * 1.011)
        throw world.broken('G3', `${this.name} believes an answer that is older than the lease`);
      truth.accepted(check, false);
      done('yes');
    });
  }
}
