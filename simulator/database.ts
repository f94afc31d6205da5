import { type Cut, mergeCuts } from '@curfew/protocol/cuts';
import type { Ending } from '@curfew/protocol/ending';
import { readCursor } from '@curfew/protocol/log-cursor';
import { isCutOf } from '@curfew/protocol/replica';
import type { Done, NodeDatabase, Provenance } from '@curfew/protocol/node';
import type { Plan } from './plan.ts';
import type { Process } from './process.ts';
import { type Decision, type Scope, type Session, type Truth, describe, nameOf, probesOf } from './truth.ts';
import { type Logged, readLog } from './read-log.ts';
import type { Incarnation, Past } from './past.ts';
import { RowLocks } from './row-lock.ts';
import { cutsOf, cutsOfLogins } from './scope-cuts.ts';
import { failed, type Statement, Statements } from './statements.ts';
import type { World } from './world.ts';

/** The answer of a statement that ends sessions. */
interface Ended<T> {
  /** How often the database had gone back when the statement ran. Its answer may come much later, to a process that was suspended. */
  readonly life: number;
  readonly decided: T;
}

/** The content of the database: sessions, cuts, the log, the registry of nodes, and the epoch. It can go back to an earlier state. */
export class Database {
  readonly statements: Statements;
  readonly #world: World;
  readonly #plan: Plan;
  readonly #truth: Truth;
  #position = 1;
  /** The locks of logins' rows. */
  readonly #rows = new RowLocks();
  /** Committed endings, by transaction and position. */
  #log: Logged[] = [];
  #cuts = new Map<string, Cut>();
  #nodes = new Map<string, { beat: number }>();
  #incarnation: Incarnation = { epoch: '1.first', timeline: 1, settled: true, started: 1 };
  #timeline = 1;
  /** How often a server was started. */
  #starts = 1;
  readonly #pasts: Past[] = [];
  readonly #registrations: { process: Process; atMs: number }[] = [];
  constructor(world: World, plan: Plan, truth: Truth) {
    this.#world = world;
    this.#plan = plan;
    this.#truth = truth;
    this.statements = new Statements(world, plan, () => this.#keepPast());
  }

  /**
   * Breaks all connections. No process gets a new one for a while.
   * @param crash running transactions are lost, and the numbers that are not on the disk are used again
   */
  fail(ms: number, crash: boolean): void {
    this.statements.breakAll(ms, crash);
    // A server that lost a backend process recovers without a new start.
    if (crash && this.#world.random.chance(0.5)) this.#starts++;
  }

  /** Whether it went back and no node has noticed yet. */
  #unnoticed = false;

  /** The epoch; null after it went back, until a new one begins. */
  get epoch(): string | null {
    return this.#unnoticed ? null : this.#incarnation.epoch;
  }

  #keepPast(): void {
    if (!this.#plan.has('going-back')) return;
    const { sessions } = this.#truth;
    this.#pasts.push({
      atMs: this.#world.nowMs,
      position: this.#position,
      onDisk: this.statements.onDisk,
      log: [...this.#log],
      cuts: new Map(this.#cuts),
      nodes: new Map([...this.#nodes].map(([id, node]) => [id, { ...node }])),
      there: new Set(sessions.filter(({ there }) => there)),
      marked: new Set(sessions.filter(({ marked }) => marked)),
      incarnation: this.#incarnation,
    });
  }

  /**
   * Loses the last commits, so that positions and transaction numbers are used again. Either another server takes over at once that had not
   * received them, or an older copy of this one is restored, which takes longer than any process trusts itself.
   * @returns for how long the nodes were stopped meanwhile; null if they were not
   */
  goBack(): number | null {
    const { random, nowMs } = this.#world;
    const { leaseMs, waitMs, healMs } = this.#plan;
    const failover = random.chance(0.7);
    const downMs = failover ? random.between(0, 1) * leaseMs : random.between(1.05, 2) * waitMs;
    // A node whose registration is lost does not notice it if it cannot reach the other server for a while.
    const known = this.#registrations;
    const unknown = failover && known.length > 0 && random.chance(0.4) ? random.pick(known) : null;
    // Of a standby that lags little, its server alone shows that it is another one.
    const lagLeases = failover ? random.between(0, random.chance(0.5) ? 0.3 : 2) : random.between(2, 4);
    const lagMs = lagLeases * leaseMs;
    const untilMs = unknown ? unknown.atMs - 0.01 : nowMs - lagMs;
    const past = this.#pasts.findLast(({ atMs }) => atMs <= untilMs);
    if (!past || nowMs + downMs > healMs) return null;
    this.fail(downMs, true);
    if (unknown)
      unknown.process.cutOffUntilMs = Math.min(nowMs + downMs + random.between(0, 1.5) * leaseMs, healMs);
    if (failover) this.#timeline++;
    this.#starts++;
    this.#unnoticed = true;
    const { sessions } = this.#truth;
    const lost = new Set(sessions.filter((session) => session.there && !past.there.has(session)));
    for (const session of sessions) {
      session.there = past.there.has(session);
      session.marked = past.marked.has(session);
    }
    const kept = new Set(past.log.map(({ ending }) => ending));
    this.#position = past.position;
    this.statements.onDisk = past.onDisk;
    // Other programs may have used numbers before the first node reads.
    this.statements.nextXid = past.onDisk + 1 + (random.chance(0.5) ? random.below(40) : 0);
    this.#log = [...past.log];
    this.#cuts = new Map(past.cuts);
    this.#nodes = new Map([...past.nodes].map(([id, node]) => [id, { ...node }]));
    this.#incarnation = past.incarnation;
    this.#pasts.splice(this.#pasts.indexOf(past) + 1);
    this.#truth.wentBack(({ ending }) => !kept.has(ending), lost);
    this.#world.note(
      'database',
      () => `goes back to ${past.atMs.toFixed(2)}${failover ? ', on another server' : ''}`,
    );
    return !failover && random.chance(0.5) ? downMs : null;
  }

  #standing(id: string): Provenance {
    const { epoch, settled } = this.#incarnation;
    const beat = this.#nodes.get(id)?.beat ?? null;
    return { epoch, foreign: this.#isForeign, settled, beat };
  }

  get #isForeign(): boolean {
    return this.#incarnation.timeline !== this.#timeline;
  }

  /** A statement that writes and draws no position. */
  #write<T>(from: Process, kind: Statement, commit: () => T, done: Done<T>): void {
    this.statements.write(from, kind, () => null, commit, done);
  }

  draw(): number {
    return this.#position++;
  }

  /** With each start of the server, the positions of cuts begin at the time in microseconds. */
  #drawCut(): number {
    if (this.#incarnation.started !== this.#starts) {
      this.#incarnation = { ...this.#incarnation, started: this.#starts };
      this.#raise();
    }
    return this.draw();
  }

  /** Above every position that any history can have used. */
  #raise(): void {
    this.#position = Math.max(this.#position + 1_000_000, Math.ceil(this.#world.nowMs * 1000));
  }

  /** Whether a statement that runs now sees the session alive. */
  isAlive(session: Session): boolean {
    return session.there && !session.marked && !this.#isCut(session);
  }

  #isCut({ watched }: Session): boolean {
    return isCutOf((key) => this.#cuts.get(key), watched);
  }

  /** @param through the login that it is begun through, if any. Null if that is over. */
  login(
    from: Process,
    through: Session | null,
    make: (born: number) => Session,
    done: Done<Session | null>,
  ): void {
    let sawAlive = true;
    this.statements.write<Session | null, Session | null>(
      from,
      'login',
      () => {
        // The statement's snapshot is older than the lock. Of what came between it sees the change of the locked row alone.
        if (!sawAlive || through?.marked) return null;
        const session = make(this.draw());
        this.#truth.sessions.push(session);
        return session;
      },
      (session) => {
        if (session) {
          session.there = true;
          if (through) through.hasChildren = true;
          this.#world.note('database', () => `commits the login of ${nameOf(session)}`);
        }
        return session;
      },
      done,
      through && this.#rows.of([through], () => (sawAlive = this.isAlive(through))),
    );
  }

  /** `unknown`: it has no row. */
  check(from: Process, session: Session, done: Done<'alive' | 'over' | 'unknown'>): void {
    const look = () => (this.isAlive(session) ? 'alive' : session.there ? 'over' : 'unknown');
    this.statements.read(from, 'check', look, done);
  }

  /** True if it wrote a new token: for a live session, in the same statement. */
  refresh(from: Process, session: Session, done: Done<boolean>): void {
    this.#write(from, 'refresh', () => this.isAlive(session), done);
  }

  /**
   * Ends the sessions of each requested scope, in one transaction. Null for a request that found nothing to end, which happens for single
   * sessions only.
   */
  end(from: Process, scope: Scope, by: readonly Session[], done: Done<Ended<(Decision | null)[]>>): void {
    const isCut = scope !== 'session';
    this.statements.write<number[] | null, Ended<(Decision | null)[]> | null>(
      from,
      'end',
      // Positions of a database that no node has read yet cannot be trusted, so it makes no cut.
      () => (isCut && this.#isForeign ? null : by.map(() => (isCut ? this.#drawCut() : this.draw()))),
      (positions, xid) =>
        positions && {
          life: this.#truth.life,
          decided: by.map((one, i) => this.#end(scope, one, positions[i] as number, xid)),
        },
      (error, answer) => (answer === null ? done(failed('end')) : done(error, answer)),
      isCut ? null : this.#rows.of(by),
    );
  }

  /** Ends the live sessions of a list by one ending. Null if none lives. */
  endList(from: Process, named: readonly Session[], done: Done<Ended<Decision | null>>): void {
    this.statements.write(
      from,
      'end',
      () => this.draw(),
      (position, xid) => ({
        life: this.#truth.life,
        decided: this.#end('list', named[0] as Session, position, xid, named),
      }),
      done,
      this.#rows.of(named),
    );
  }

  #end(
    scope: Scope,
    by: Session,
    position: number,
    xid: number,
    named: readonly Session[] = [by],
  ): Decision | null {
    const byName = scope === 'session' || scope === 'list';
    const listed = byName ? named.filter((one) => this.isAlive(one)) : [];
    if (byName && listed.length === 0) return null;
    const ending: Ending = {
      position,
      ids: listed.map(({ facts }) => facts.sid),
      cuts: cutsOfLogins(listed, position),
      changed: [],
      ...cutsOf(scope, by, position),
    };
    const decision: Decision = {
      scope,
      by,
      listed,
      position,
      ending,
      life: this.#truth.life,
      lost: false,
      committedMs: null,
      confirmedMs: null,
      probes: probesOf(ending),
    };
    for (const one of [...listed, ...this.#truth.childrenOf(listed)]) one.marked = true;
    // A session that waits to be begun through it looks at its row.
    if (scope === 'login') by.marked = true;
    if (!byName) this.#cut(ending);
    let at = this.#log.length;
    while (at > 0 && (this.#log[at - 1]?.xid ?? 0) > xid) at--;
    this.#log.splice(at, 0, { xid, ending, atMs: this.#world.nowMs });
    this.#truth.decisions.push(decision);
    this.#truth.committed(decision);
    this.#world.note('database', () => `commits ${describe(decision)}`);
    return decision;
  }

  #cut({ cuts }: Ending): void {
    for (const { key, ...cut } of cuts) {
      const there = this.#cuts.get(key);
      this.#cuts.set(key, there ? mergeCuts(there, cut) : cut);
    }
  }

  forNode(from: Process, keepMs: () => number): NodeDatabase {
    /** The newest ending of the last read. The next read looks for it. */
    let newest: Ending | null = null;
    return {
      register: (id, done) => this.#write(from, 'register', () => this.#register(from, id), done),
      beat: (id, done) => this.#write(from, 'beat', () => this.#beat(id), done),
      nodes: (id, done) => this.statements.read(from, 'nodes', () => this.#registry(id), done),
      takeOut: (id, beat, epoch, done) =>
        this.#write(from, 'take-out', () => this.#takeOut(id, beat, epoch), done),
      readLog: (cursor, id, done) => {
        if (cursor === null) newest = null;
        let seen: Ending | null = null;
        const keptMs = keepMs();
        this.statements.read(
          from,
          'log',
          () => {
            seen = this.#log.at(-1)?.ending ?? null;
            const sinceMs = this.#world.nowMs - 1.1 * keptMs;
            const behind = this.#isBehind(cursor, newest);
            return {
              ...readLog(this.#log, cursor, this.statements, sinceMs, this.#plan.pageSize),
              ...this.#standing(id),
              behind,
            };
          },
          (error, answer) => {
            if (!error) newest = seen;
            done(error, answer);
          },
        );
      },
      newEpoch: (seen, above, done) =>
        this.#write(from, 'new-epoch', () => this.#newEpoch(seen, above), done),
      settle: (epoch, done) => this.#write(from, 'settle', () => this.#settle(epoch), done),
    };
  }

  #register(from: Process, id: string): Provenance & { raised: number } {
    const standing = this.#standing(id);
    // A new beat, so that a deregistration by an older one does not match it.
    const raised = this.draw() * 1000;
    this.#nodes.set(id, { beat: raised });
    this.#registrations.push({ process: from, atMs: this.#world.nowMs });
    return { ...standing, raised };
  }

  #beat(id: string): Provenance & { raised: number } {
    const standing = this.#standing(id);
    const node = this.#nodes.get(id);
    if (node) node.beat++;
    return { ...standing, raised: node?.beat ?? 0 };
  }

  #registry(id: string): Provenance & { nodes: { id: string; beat: number }[] } {
    const nodes = [...this.#nodes].map(([other, { beat }]) => ({ id: other, beat }));
    return { ...this.#standing(id), nodes };
  }

  #takeOut(id: string, beat: number, epoch: string): boolean {
    const same = this.#incarnation.epoch === epoch && this.#nodes.get(id)?.beat === beat;
    const there = same && this.#nodes.delete(id);
    if (there) this.#world.note('database', () => `takes ${id} out`);
    return there;
  }

  #newEpoch(seen: string, above: string): void {
    const { epoch } = this.#incarnation;
    if (epoch !== seen) return;
    const number = Math.max(Number.parseInt(epoch, 10), Number.parseInt(above, 10)) + 1;
    this.#unnoticed = false;
    this.#incarnation = {
      epoch: `${number}.${this.#world.random.below(1e6)}`,
      timeline: this.#timeline,
      settled: false,
      started: this.#starts,
    };
    this.#raise();
    this.#world.note('database', () => `begins the epoch ${this.#incarnation.epoch}`);
  }

  #settle(epoch: string): void {
    if (this.#incarnation.epoch === epoch) this.#incarnation = { ...this.#incarnation, settled: true };
  }

  /** Whether this database is behind a reader, or lacks what it gave the reader before. */
  #isBehind(cursor: string | null, newest: Ending | null): boolean {
    const { next } = readCursor(cursor ?? '0');
    return (
      this.statements.nextXid < next ||
      (newest !== null && !this.#log.some(({ ending }) => ending === newest))
    );
  }

  /** A node that closes in order deregisters. */
  remove(from: Process, id: string, done: Done<void>): void {
    this.#write(from, 'take-out', () => void this.#nodes.delete(id), done);
  }
}
