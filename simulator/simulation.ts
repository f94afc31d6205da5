import { type Credential, signToken, twinOf } from './credentials.ts';
import { Database } from './database.ts';
import { Doorbell } from './doorbell.ts';
import { type Answer, NodeProcess } from './node-process.ts';
import { inventFacts, loginOf } from './facts.ts';
import { startIncidents } from './incidents.ts';
import { type Fault, makePlan, type Plan } from './plan.ts';
import type { Process } from './process.ts';
import {
  type Check,
  covers,
  type Decision,
  latestAnswerMs,
  type Learned,
  nameOf,
  type Scope,
  type Session,
  sessionOf,
  Truth,
} from './truth.ts';
import { SCOPES } from './scope-cuts.ts';
import { VerifierProcess } from './verifier-process.ts';
import { Broken, World } from './world.ts';

/** The result of a run. */
export interface Outcome {
  readonly seed: number;
  readonly broken: Broken | null;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly checks: number;
  readonly confirmations: number;
  readonly faults: readonly Fault[];
  readonly history: readonly string[];
}

/** What a token says of its issue. */
interface Issued {
  readonly issuedMs: number;
  readonly lifeMs: number;
  readonly epoch: string | null;
}

interface Held {
  readonly credential: Credential;
  readonly session: Session;
  readonly twin: boolean;
}

/** Everything that happens under one seed. */
export class Simulation {
  readonly world: World;
  readonly plan: Plan;
  readonly truth: Truth;
  readonly database: Database;
  readonly doorbell: Doorbell;
  readonly nodes: NodeProcess[] = [];
  readonly verifiers: VerifierProcess[] = [];
  readonly #credentials: Held[] = [];
  /** Credentials of sessions whose logout was requested. The simulation checks them again and again. */
  readonly #suspects: Held[] = [];
  readonly #promised = new Map<Learned, NodeProcess>();
  /** By how much the clock that dates tokens has been moved. */
  authorityMs = 0;
  #named = 0;

  constructor(seed: number, options: { without?: readonly Fault[]; history?: boolean } = {}) {
    this.world = new World(seed, options.history ?? false);
    this.plan = makePlan(seed, options.without ?? []);
    this.truth = new Truth(this.world, this.plan, this);
    this.database = new Database(this.world, this.plan, this.truth);
    this.doorbell = new Doorbell(this);
  }

  run(): Outcome {
    const { plan, world } = this;
    let broken: Broken | null = null;
    try {
      for (let i = 0; i < plan.nodes; i++) this.startNode();
      for (let i = 0; i < plan.verifiers; i++) this.startVerifier();
      this.#clients();
      startIncidents(this);
      this.#sweeps();
      world.after(plan.healMs, () => this.#heal());
      world.run(plan.endMs);
      this.#finish();
    } catch (error) {
      // A thrown error is a fault of this seed like any other.
      broken = error instanceof Broken ? error : new Broken('thrown', String((error as Error).stack));
    }
    return {
      seed: plan.seed,
      broken,
      steps: world.steps,
      simulatedMs: world.nowMs,
      checks: this.truth.checks,
      confirmations: this.truth.confirmations,
      faults: plan.faults,
      history: world.history ?? [],
    };
  }

  // The processes.

  startNode(): void {
    // The directory of an embedded database is locked until its process is gone.
    if (this.plan.sole && this.liveNodes.length > 0)
      return this.world.after(0.1 * this.plan.leaseMs, () => this.startNode());
    this.nodes.push(new NodeProcess(this, `node-${++this.#named}`));
  }

  startVerifier(): void {
    this.verifiers.push(new VerifierProcess(this, `verifier-${++this.#named}`));
  }

  get liveNodes(): NodeProcess[] {
    return this.nodes.filter((node) => !node.process.dead);
  }

  get liveVerifiers(): VerifierProcess[] {
    return this.verifiers.filter((verifier) => !verifier.process.dead);
  }

  anyNode(): NodeProcess | null {
    const nodes = this.liveNodes.filter((node) => !node.retiring);
    return nodes.length > 0 ? this.world.random.pick(nodes) : null;
  }

  authorityNowMs(process: Process): number {
    return Math.floor(1.7e12 + this.world.nowMs + this.authorityMs) + (process.name.length % 3);
  }

  isOld(ending: { position: number }): boolean {
    return this.truth.isOld(ending);
  }

  /** A logout's event is committed and known, so the node must answer. */
  promise(node: NodeProcess, learned: Learned): void {
    this.#promised.set(learned, node);
  }

  kept(learned: Learned): void {
    this.#promised.delete(learned);
  }

  /** A verifier asks a node over the network. */
  askNode(
    from: VerifierProcess,
    text: string,
    check: Check,
    done: (answer: Answer, epoch?: string | null) => void,
  ): void {
    const { world, plan } = this;
    const { random } = world;
    const node = this.anyNode();
    let waiting = true;
    const answer = (value: Answer, epoch?: string | null): void => {
      if (waiting) done(value, epoch);
      waiting = false;
    };
    from.process.after(2 * plan.leaseMs, () => answer('fault'));
    if (!node) return;
    const delayMs = (): number => {
      const late = world.nowMs < plan.healMs && plan.has('feed-delays') && random.chance(0.1);
      return late ? random.between(0, 1.5) * plan.leaseMs : random.between(0.1, 1);
    };
    const lost = (): boolean => world.nowMs < plan.healMs && plan.has('answers-lost') && random.chance(0.1);
    if (lost()) return;
    world.after(delayMs(), () =>
      node.process.deliver(() => {
        const { epoch } = node.node;
        node.check(text, { ...check, at: node.name }, (value) => {
          if (!lost()) world.after(delayMs(), () => from.process.deliver(() => answer(value, epoch)));
        });
      }),
    );
  }

  // What clients do.

  #clients(): void {
    const { world, plan } = this;
    const again = (): void => {
      world.after(world.random.between(0, 0.14) * plan.leaseMs, () => {
        if (world.nowMs > plan.endMs - 2 * plan.leaseMs) return;
        again();
        this.#act();
      });
    };
    for (let i = 0; i < 4; i++) this.#logIn();
    again();
  }

  #act(): void {
    const { random } = this.world;
    const what = random.part();
    if (what < 0.09 || this.#credentials.length === 0) return this.#logIn();
    if (what < 0.15) return this.#refresh();
    if (what < 0.27) return this.#logOut();
    const lately = this.#suspects.length > 0 && random.chance(0.4);
    this.#check(lately ? random.pick(this.#suspects) : random.pick(this.#credentials));
  }

  #logIn(): void {
    const { world } = this;
    const { random } = world;
    const node = this.anyNode();
    if (!node) return;
    const kind = random.chance(0.6) ? 'jwt' : 'opaque';
    const through = random.chance(0.3) ? this.#anyLogin() : null;
    node.process.deliver(() => {
      const issued = this.#issuedBy(node);
      this.database.login(
        node.process,
        through,
        (born) => sessionOf(inventFacts(world, born, through && through.facts), kind, through),
        (error, session) => {
          if (!error && session) this.#hand(session, issued);
        },
      );
    });
  }

  /** A login to begin a session through, rather one that somebody has just asked to end. */
  #anyLogin(): Session | null {
    const { random } = this.world;
    const lately = this.#suspects.length > 0 && random.chance(0.7);
    const held = lately ? this.#suspects.slice(-4) : this.#credentials;
    return held.length > 0 ? this.#loginOf(random.pick(held).session) : null;
  }

  #loginOf(session: Session): Session {
    const sid = loginOf(session.facts);
    return this.truth.sessions.find(({ facts }) => facts.sid === sid) ?? session;
  }

  /** Read before the node asks the database. */
  #issuedBy({ process, node, tokenLife }: NodeProcess): Issued {
    return { issuedMs: this.authorityNowMs(process), lifeMs: tokenLife.currentMs, epoch: node.epoch };
  }

  /** A client gets a credential. */
  #hand(session: Session, { issuedMs, lifeMs, epoch }: Issued): void {
    const { facts, kind } = session;
    if (kind === 'opaque') {
      const known = this.#credentials.some((one) => one.session === session);
      if (!known)
        this.#credentials.push({ credential: { text: `opaque-${facts.sid}`, kind }, session, twin: false });
      return;
    }
    const expiresAtMs = Math.floor(issuedMs + lifeMs);
    // A node of an older version does not say all. None is there once a session was begun through a login.
    const older = this.world.random.chance(0.1) && facts.login === null ? { tenant: null } : {};
    const text = signToken({ facts: { ...facts, ...older }, epoch, issuedMs, expiresAtMs });
    this.#credentials.push({ credential: { text, kind }, session, twin: false });
    if (this.world.random.chance(0.1))
      this.#credentials.push({ credential: { text: twinOf(text), kind }, session, twin: true });
  }

  #refresh(): void {
    const node = this.anyNode();
    if (!node) return;
    const { session } = this.world.random.pick(this.#credentials);
    node.process.deliver(() => {
      const issued = this.#issuedBy(node);
      const beganMs = this.world.nowMs;
      this.database.refresh(node.process, session, (error, alive) => {
        if (error || !alive) return;
        this.world.note(node.name, () => `gives new credentials to ${nameOf(session)}`);
        if (session.confirmedMs <= beganMs)
          throw this.world.broken('G1', `${node.name} refreshes ${nameOf(session)}, whose end was confirmed`);
        this.#hand(session, issued);
      });
    });
  }

  #logOut(): void {
    const { random } = this.world;
    const node = this.anyNode();
    if (!node) return;
    const scope = random.pick(SCOPES);
    const again = this.#suspects.length > 0 && random.chance(0.15);
    const picked = random.pick(again ? this.#suspects : this.#credentials).session;
    const session = scope === 'login' ? this.#loginOf(picked) : picked;
    this.#suspect(session, scope);
    const by = [session];
    // Logouts that arrive while another is under way are collected, and share a commit and the message to the replicas. A list names
    // sessions that somebody has just asked another node to end.
    const more = scope === 'list' ? 0.7 : scope === 'session' ? 0.3 : 0;
    while (by.length < 3 && random.chance(more)) {
      const lately = scope === 'list' && this.#suspects.length > 0 && random.chance(0.5);
      const { session: another } = random.pick(lately ? this.#suspects.slice(-4) : this.#credentials);
      if (by.includes(another)) break;
      by.push(another);
      this.#suspect(another, scope);
    }
    const times = random.chance(0.1) ? 2 : 1;
    for (let i = 0; i < times; i++) {
      const at = i === 0 ? node : (this.anyNode() ?? node);
      at.process.deliver(() => {
        if (scope === 'list') at.endList(by, () => undefined);
        else at.end(scope, by, () => undefined);
      });
    }
  }

  #suspect(by: Session, scope: Scope): void {
    const all = { scope, by, listed: [by], position: Number.POSITIVE_INFINITY, life: this.truth.life };
    for (const held of this.#credentials)
      if (covers(all, held.session) && !this.#suspects.includes(held)) this.#suspects.push(held);
    if (this.#suspects.length > 40) this.#suspects.splice(0, this.#suspects.length - 40);
  }

  #check(held: Held): void {
    const { random } = this.world;
    const places = [...this.liveNodes, ...this.liveVerifiers];
    if (places.length > 0) this.#checkAt(random.pick(places), held);
  }

  #checkAt(
    place: NodeProcess | VerifierProcess,
    { credential, session, twin }: Held,
    done?: (answer: Answer) => void,
  ): void {
    place.process.deliver(() => {
      const check = { at: place.name, session, canonical: !twin, beganMs: this.world.nowMs };
      place.check(credential.text, check, done ?? (() => undefined));
    });
  }

  /** A logout was answered. This checks every credential of its sessions, everywhere. */
  hunt(decision: Decision): void {
    const { world, plan } = this;
    const hunted = this.#credentials.filter(({ session }) => covers(decision, session)).slice(-3);
    for (const held of hunted) {
      // A separate event, because a check may be suspended, but the node that answers now may not.
      world.after(0, () => this.#check(held));
      world.after(world.random.between(0, 0.3) * plan.leaseMs, () => this.#check(held));
    }
  }

  /** Looks at the memory of all processes from time to time. */
  #sweeps(): void {
    this.world.after(0.5 * this.plan.leaseMs, () => {
      this.truth.sweepAll();
      this.#sweeps();
    });
  }

  /** From now on there are no more faults. */
  #heal(): void {
    const { world } = this;
    world.note('world', () => 'heals');
    for (const { process } of [...this.liveNodes, ...this.liveVerifiers]) process.resume();
    if (this.liveNodes.every((node) => node.retiring)) this.startNode();
  }

  /** In the end every node is fresh again, every live session is accepted, and every request has its answer. */
  #finish(): void {
    const { world, plan } = this;
    for (const [{ atMs, suspendedMs }, node] of this.#promised) {
      const waitedMs = world.nowMs - atMs - (node.process.suspendedMs - suspendedMs);
      if (!node.process.dead && !node.retiring && waitedMs > latestAnswerMs(plan))
        throw world.broken('G2', `${node.name} has not answered after ${waitedMs.toFixed(0)} ms`);
    }
    const nodes = this.liveNodes.filter((node) => !node.retiring);
    for (const node of nodes)
      if (!node.node.isFresh()) throw world.broken('healing', `${node.name} is not fresh in the end`);
    // One of version 1 is kept stale while there is a cut that it does not know.
    for (const verifier of this.liveVerifiers.filter(({ version }) => version > 1))
      if (!verifier.subscriber.isFresh())
        throw world.broken('healing', `${verifier.name} is not fresh in the end`);
    const places = [...nodes, ...this.liveVerifiers];
    const seen = new Set<Session>();
    for (const held of [...this.#credentials].reverse()) {
      const { session, twin } = held;
      if (seen.has(session)) continue;
      seen.add(session);
      const right = !twin && this.database.isAlive(session);
      // An expired credential is refused whether its session lives or not, and so is one that was dated by a clock that has been moved
      // since.
      const mayRunOut = session.kind === 'jwt' && (plan.has('expiry') || plan.has('authority-jumps'));
      const place = world.random.pick(places);
      this.#checkAt(place, held, (answer) => {
        if ((answer === 'yes') === right || (right && mayRunOut)) return;
        // Nobody notices an older copy that was restored while no node ran: sessions of the lost time live until they expire.
        if (this.database.epoch === null) return;
        throw world.broken(
          'healing',
          `${place.name} answers ${answer} to ${nameOf(session)}, ${right ? 'which lives' : ''}`,
        );
      });
    }
    world.run(world.nowMs + plan.leaseMs);
  }
}
