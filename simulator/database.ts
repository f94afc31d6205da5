import {
  type Cut,
  clientKey,
  cutAll,
  cutOthers,
  deviceKey,
  EVERYONE_KEY,
  isCut,
  keysOf,
  mergeCuts,
  userKey,
} from '@curfew/protocol/cuts';
import type { Ending, KeyedCut } from '@curfew/protocol/ending';
import { advance, lowest, readCursor, writeCursor } from '@curfew/protocol/log-cursor';
import type { Done, NodeDatabase, Provenance } from '@curfew/protocol/node';
import { watch } from '@curfew/protocol/replica';
import type { Plan } from './plan.ts';
import type { Process } from './process.ts';
import { type Decision, type Scope, type Session, type Truth, describe, nameOf, probesOf } from './truth.ts';
import type { World } from './world.ts';

export type Statement =
  | 'register'
  | 'beat'
  | 'nodes'
  | 'take-out'
  | 'log'
  | 'new-epoch'
  | 'settle'
  | 'check'
  | 'refresh'
  | 'login'
  | 'end';

interface Trouble {
  readonly process: Process;
  readonly kind: Statement;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly slow: boolean;
}

interface Transaction {
  readonly xid: number;
}

/** The answer of a statement that ends sessions. */
interface Ended<T> {
  /** How often the database had gone back when the statement ran. Its answer may come much later, to a process that was suspended. */
  readonly life: number;
  readonly decided: T;
}

interface Logged {
  readonly xid: number;
  readonly ending: Ending;
  readonly atMs: number;
}

/** The epoch, as it was recorded. */
interface Incarnation {
  readonly epoch: string;
  readonly timeline: number;
  readonly settled: boolean;
  /** The start of the server for which positions were last raised. */
  readonly started: number;
}

/** All commits at one instant, as a standby has received them or a copy has them. */
interface Past {
  readonly atMs: number;
  readonly position: number;
  readonly onDisk: number;
  readonly log: readonly Logged[];
  readonly cuts: ReadonlyMap<string, Cut>;
  readonly nodes: ReadonlyMap<string, { beat: number }>;
  readonly there: ReadonlySet<Session>;
  readonly marked: ReadonlySet<Session>;
  readonly incarnation: Incarnation;
}

/** A model of the parts of PostgreSQL that the guarantee relies on: snapshots, transaction ids, late commits, lost answers. */
export class Database {
  /** No statement is answered before this. */
  downUntilMs = 0;
  /** The statements of one kind that fail, or are slow, for one process for a while. */
  readonly troubles: Trouble[] = [];
  readonly #world: World;
  readonly #plan: Plan;
  readonly #truth: Truth;
  #position = 1;
  #nextXid = 1;
  /** The highest number of a committed transaction. It is on the disk, with all below it. */
  #onDisk = 0;
  /** Running transactions that have a number. */
  readonly #open = new Set<Transaction>();
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
  /** Raised whenever all connections break. */
  #era = 0;

  constructor(world: World, plan: Plan, truth: Truth) {
    this.#world = world;
    this.#plan = plan;
    this.#truth = truth;
  }

  /**
   * Breaks all connections. No process gets a new one for a while.
   * @param crash running transactions are lost, and the numbers that are not on the disk are used again
   */
  fail(ms: number, crash: boolean): void {
    this.#world.note(
      'database',
      () => `${crash ? 'fails over' : 'breaks all connections'} for ${ms.toFixed(0)} ms`,
    );
    this.#era++;
    this.downUntilMs = this.#world.nowMs + ms;
    if (!crash) return;
    this.#crashes = this.#era;
    this.#open.clear();
    this.#nextXid = this.#onDisk + 1;
    // A server that lost a backend process recovers without a new start.
    if (this.#world.random.chance(0.5)) this.#starts++;
  }
  #crashes = 0;

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
      onDisk: this.#onDisk,
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
    const lagMs = (failover ? random.between(0, 2) : random.between(3, 6)) * leaseMs;
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
    this.#onDisk = past.onDisk;
    // Other programs may have used numbers before the first node reads.
    this.#nextXid = past.onDisk + 1 + (random.chance(0.5) ? random.below(40) : 0);
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

  #latencyMs(slowed: boolean): number {
    const { random, nowMs } = this.#world;
    if (slowed && nowMs < this.#plan.healMs) return random.between(0, 4) * this.#plan.leaseMs;
    const slow = nowMs < this.#plan.healMs && this.#plan.has('slow-database') && random.chance(0.1);
    return slow ? random.between(0, 1.7) * this.#plan.leaseMs : random.between(0.1, 1.5);
  }

  #goesWrong(fault: 'failing-statements' | 'lost-answers'): boolean {
    const { random, nowMs } = this.#world;
    return nowMs < this.#plan.healMs && this.#plan.has(fault) && random.chance(0.04);
  }

  /** Whether a statement that a process sends now is lost. */
  #unheard(from: Process, kind: Statement): boolean {
    const { nowMs } = this.#world;
    if (nowMs < this.downUntilMs || nowMs < from.cutOffUntilMs) return true;
    return this.#isTroubled(from, kind, false);
  }

  #isTroubled(from: Process, kind: Statement, slow: boolean): boolean {
    const { nowMs } = this.#world;
    for (const one of this.troubles)
      if (one.process === from && one.kind === kind && one.slow === slow)
        if (nowMs >= one.fromMs && nowMs < one.untilMs) return true;
    return false;
  }

  #fail<T>(from: Process, kind: Statement, done: Done<T>): void {
    const { random, nowMs } = this.#world;
    // Refused at once, or never answered, until the client gives up.
    const afterMs = nowMs < this.#plan.healMs && random.chance(0.4) ? 1.3 * this.#plan.leaseMs : 0.5;
    this.#world.after(afterMs, () =>
      from.deliver(() => {
        this.#world.note(from.name, () => `is told that ${kind} has failed`);
        done(failed(kind));
      }),
    );
  }

  /** One statement that reads. `evaluate` sees one snapshot, which is taken after the request. */
  read<T>(from: Process, kind: Statement, evaluate: () => T, done: Done<T>): void {
    const era = this.#era;
    const slowed = this.#isTroubled(from, kind, true);
    if (this.#unheard(from, kind)) return this.#fail(from, kind, done);
    this.#world.after(this.#latencyMs(slowed), () => {
      if (this.#era !== era || this.#goesWrong('failing-statements')) return this.#fail(from, kind, done);
      this.#answer(from, kind, era, slowed, evaluate(), done);
    });
  }

  #answer<T>(from: Process, kind: Statement, era: number, slowed: boolean, answer: T, done: Done<T>): void {
    if (this.#goesWrong('lost-answers')) return this.#fail(from, kind, done);
    // An embedded database answers in the order in which it commits.
    this.#world.after(this.#plan.sole ? 0 : this.#latencyMs(slowed), () => {
      // A statement that arrived is answered, unless the connection breaks.
      if (this.#era !== era || this.#world.nowMs < from.cutOffUntilMs) this.#fail(from, kind, done);
      else from.deliver(() => done(null, answer));
    });
  }

  /** One statement that writes. It draws its position early. Others see its changes with its commit, which may come late. */
  write<B, T>(
    from: Process,
    kind: Statement,
    begin: () => B,
    commit: (begun: B, xid: number) => T,
    done: Done<T>,
  ): void {
    const era = this.#era;
    const slowed = this.#isTroubled(from, kind, true);
    const { random } = this.#world;
    if (this.#unheard(from, kind)) return this.#fail(from, kind, done);
    this.#world.after(this.#latencyMs(slowed), () => {
      if (this.#era !== era) return this.#fail(from, kind, done);
      const begun = begin();
      const number = (): void => {
        const transaction: Transaction = { xid: this.#nextXid++ };
        this.#open.add(transaction);
        this.#world.after(this.#commitMs(), () => {
          this.#open.delete(transaction);
          if (this.#crashes > era || this.#goesWrong('failing-statements')) {
            this.#world.note('database', () => `rolls back ${kind} of ${from.name}`);
            return this.#fail(from, kind, done);
          }
          this.#onDisk = Math.max(this.#onDisk, transaction.xid);
          // Transactions of other programs that roll back: nothing of them reaches the disk.
          if (this.#plan.has('crashes')) this.#nextXid += 2;
          const answer = commit(begun, transaction.xid);
          this.#keepPast();
          this.#answer(from, kind, era, slowed, answer, done);
        });
      };
      // A position is drawn before the transaction has its number, or together with it.
      if (this.#plan.has('late-commits') && random.chance(0.3)) this.#world.after(this.#commitMs(), number);
      else number();
    });
  }

  #commitMs(): number {
    const { random, nowMs } = this.#world;
    const late = nowMs < this.#plan.healMs && this.#plan.has('late-commits') && random.chance(0.25);
    return late ? random.between(0, 2) * this.#plan.leaseMs : random.between(0.1, 1);
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

  #isCut({ facts }: Session): boolean {
    return keysOf(facts).some((key) => {
      const cut = this.#cuts.get(key);
      return cut !== undefined && isCut(cut, facts);
    });
  }

  login(from: Process, make: (born: number) => Session, done: Done<Session>): void {
    this.write(
      from,
      'login',
      () => {
        const session = make(this.draw());
        this.#truth.sessions.push(session);
        return session;
      },
      (session) => {
        session.there = true;
        this.#world.note('database', () => `commits the login of ${nameOf(session)}`);
        return session;
      },
      done,
    );
  }

  /** `unknown`: it has no row. */
  check(from: Process, session: Session, done: Done<'alive' | 'over' | 'unknown'>): void {
    const look = () => (this.isAlive(session) ? 'alive' : session.there ? 'over' : 'unknown');
    this.read(from, 'check', look, done);
  }

  /** True if it wrote a new token: for a live session, in the same statement. */
  refresh(from: Process, session: Session, done: Done<boolean>): void {
    this.write(
      from,
      'refresh',
      () => null,
      () => this.isAlive(session),
      done,
    );
  }

  /**
   * Ends the sessions of each requested scope, in one transaction. Null for a request that found nothing to end, which happens for single
   * sessions only.
   */
  end(from: Process, scope: Scope, by: readonly Session[], done: Done<Ended<(Decision | null)[]>>): void {
    const isCut = scope !== 'session';
    this.write<number[] | null, Ended<(Decision | null)[]> | null>(
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
    );
  }

  /** Ends the live sessions of a list by one ending. Null if none lives. */
  endList(from: Process, named: readonly Session[], done: Done<Ended<Decision | null>>): void {
    this.write(
      from,
      'end',
      () => this.draw(),
      (position, xid) => ({
        life: this.#truth.life,
        decided: this.#end('list', named[0] as Session, position, xid, named),
      }),
      done,
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
      cuts: [],
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
    for (const one of listed) one.marked = true;
    for (const { key, ...cut } of ending.cuts) {
      const there = this.#cuts.get(key);
      this.#cuts.set(key, there ? mergeCuts(there, cut) : cut);
    }
    let at = this.#log.length;
    while (at > 0 && (this.#log[at - 1]?.xid ?? 0) > xid) at--;
    this.#log.splice(at, 0, { xid, ending, atMs: this.#world.nowMs });
    this.#truth.decisions.push(decision);
    this.#truth.committed(decision);
    this.#world.note('database', () => `commits ${describe(decision)}`);
    return decision;
  }

  forNode(from: Process): NodeDatabase {
    /** The newest ending of the last read. The next read looks for it. */
    let newest: Ending | null = null;
    return {
      register: (id, done) =>
        this.write(
          from,
          'register',
          () => null,
          () => {
            const standing = this.#standing(id);
            // A new beat, so that a deregistration by an older one does not match it.
            const raised = this.draw() * 1000;
            this.#nodes.set(id, { beat: raised });
            this.#registrations.push({ process: from, atMs: this.#world.nowMs });
            return { ...standing, raised };
          },
          done,
        ),
      beat: (id, done) =>
        this.write(
          from,
          'beat',
          () => null,
          () => {
            const standing = this.#standing(id);
            const node = this.#nodes.get(id);
            if (node) node.beat++;
            return { ...standing, raised: node?.beat ?? 0 };
          },
          done,
        ),
      nodes: (id, done) =>
        this.read(
          from,
          'nodes',
          () => ({
            ...this.#standing(id),
            nodes: [...this.#nodes].map(([other, { beat }]) => ({ id: other, beat })),
          }),
          done,
        ),
      takeOut: (id, beat, epoch, done) =>
        this.write(
          from,
          'take-out',
          () => null,
          () => {
            const same = this.#incarnation.epoch === epoch && this.#nodes.get(id)?.beat === beat;
            const there = same && this.#nodes.delete(id);
            if (there) this.#world.note('database', () => `takes ${id} out`);
            return there;
          },
          done,
        ),
      readLog: (cursor, id, done) => {
        if (cursor === null) newest = null;
        let seen: Ending | null = null;
        this.read(
          from,
          'log',
          () => {
            seen = this.#log.at(-1)?.ending ?? null;
            return {
              ...this.#readLog(cursor),
              ...this.#standing(id),
              behind: this.#isBehind(cursor, newest),
            };
          },
          (error, answer) => {
            if (!error) newest = seen;
            done(error, answer);
          },
        );
      },
      newEpoch: (seen, above, done) =>
        this.write(
          from,
          'new-epoch',
          () => null,
          () => {
            const { epoch } = this.#incarnation;
            if (epoch !== seen) return;
            const number = Math.max(Number.parseInt(epoch, 10), Number.parseInt(above, 10)) + 1;
            const random = this.#world.random.below(1e6);
            this.#unnoticed = false;
            this.#incarnation = {
              epoch: `${number}.${random}`,
              timeline: this.#timeline,
              settled: false,
              started: this.#starts,
            };
            this.#raise();
            this.#world.note('database', () => `begins the epoch ${this.#incarnation.epoch}`);
          },
          done,
        ),
      settle: (epoch, done) =>
        this.write(
          from,
          'settle',
          () => null,
          () => {
            if (this.#incarnation.epoch === epoch)
              this.#incarnation = { ...this.#incarnation, settled: true };
          },
          done,
        ),
    };
  }

  /** Whether this database is behind a reader, or lacks what it gave the reader before. */
  #isBehind(cursor: string | null, newest: Ending | null): boolean {
    const { next } = readCursor(cursor ?? '0');
    return this.#nextXid < next || (newest !== null && !this.#log.some(({ ending }) => ending === newest));
  }

  /** A node that closes in order deregisters. */
  remove(from: Process, id: string, done: Done<void>): void {
    this.write(
      from,
      'take-out',
      () => null,
      () => void this.#nodes.delete(id),
      done,
    );
  }

  /** The cursor is the server's own code. This models the one snapshot that a statement sees. */
  #readLog(cursor: string | null): { endings: Ending[]; cursor: string; more: boolean } {
    const since = readCursor(cursor ?? '0');
    const sinceMs = cursor === null ? this.#world.nowMs - 1.1 * this.#plan.keepMs : Number.NEGATIVE_INFINITY;
    const isNew = (xid: number, position: number): boolean =>
      xid >= since.next || position > (since.open.get(xid) ?? Number.POSITIVE_INFINITY);
    let from = this.#log.length;
    while (from > 0 && (this.#log[from - 1]?.xid ?? 0) >= lowest(since)) from--;
    const news = this.#log
      .slice(from)
      .filter(({ xid, ending, atMs }) => atMs >= sinceMs && isNew(xid, ending.position));
    const page = news.slice(0, this.#plan.pageSize);
    const more = page.length < news.length;
    const last = page.at(-1);
    const seen = { next: this.#nextXid, open: [...this.#open].map(({ xid }) => xid) };
    const end = more && last ? { xid: last.xid, position: last.ending.position } : null;
    const reached = advance(since, seen, this.#log.at(-1)?.xid ?? 0, end);
    return {
      endings: page.map(({ ending }) => ending),
      cursor: writeCursor(reached),
      more,
    };
  }
}

const failures = new Map<Statement, Error>();

/** One error object for each kind, because making one costs more than everything else in a step. */
function failed(kind: Statement): Error {
  const error = failures.get(kind) ?? new Error(`${kind} has failed`);
  failures.set(kind, error);
  return error;
}

function cutsOf(scope: Scope, { facts }: Session, position: number): { cuts: KeyedCut[] } | null {
  const cut = (key: string, one: Cut): { cuts: KeyedCut[] } => ({ cuts: [{ key, ...one }] });
  switch (scope) {
    case 'session':
    case 'list':
      return null;
    case 'user':
      return cut(userKey(facts.subject), cutAll(position));
    case 'others':
      return cut(userKey(facts.subject), cutOthers(position, facts.sid));
    case 'device':
      return cut(deviceKey(facts.subject, facts.deviceId), cutAll(position));
    case 'client':
      return cut(clientKey(facts.clientId), cutAll(position));
    case 'everyone':
      return cut(EVERYONE_KEY, cutAll(position));
  }
}

export const sessionOf = (facts: Session['facts'], kind: Session['kind']): Session => ({
  facts,
  watched: watch(facts),
  kind,
  there: false,
  marked: false,
  over: false,
  lostIn: null,
  confirmedMs: Number.POSITIVE_INFINITY,
});
