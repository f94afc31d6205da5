import type { Done } from '@curfew/protocol/node';
import type { Plan } from './plan.ts';
import type { Process } from './process.ts';
import type { Lock } from './row-lock.ts';
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

const NO_LOCK: Lock = { take: (run) => run(), release: () => undefined };

/** How statements run: a model of PostgreSQL's snapshots, transaction ids and late commits, of lost statements and lost answers. */
export class Statements {
  /** No statement is answered before this. */
  downUntilMs = 0;
  /** The statements of one kind that fail, or are slow, for one process for a while. */
  readonly troubles: Trouble[] = [];
  readonly #world: World;
  readonly #plan: Plan;
  readonly #onCommit: () => void;
  nextXid = 1;
  /** The highest number of a committed transaction. It is on the disk, with all below it. */
  onDisk = 0;
  /** Running transactions that have a number. */
  readonly open = new Set<Transaction>();
  /** Raised whenever all connections break. */
  #era = 0;
  /** The era that began with the last crash. */
  #crashes = 0;

  constructor(world: World, plan: Plan, onCommit: () => void) {
    this.#world = world;
    this.#plan = plan;
    this.#onCommit = onCommit;
  }

  /**
   * Breaks all connections. No process gets a new one for a while.
   * @param crash running transactions are lost, and the numbers that are not on the disk are used again
   */
  breakAll(ms: number, crash: boolean): void {
    this.#world.note(
      'database',
      () => `${crash ? 'fails over' : 'breaks all connections'} for ${ms.toFixed(0)} ms`,
    );
    this.#era++;
    this.downUntilMs = this.#world.nowMs + ms;
    if (!crash) return;
    this.#crashes = this.#era;
    this.open.clear();
    this.nextXid = this.onDisk + 1;
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
    locking: Lock | null = null,
  ): void {
    const lock = locking ?? NO_LOCK;
    const era = this.#era;
    const slowed = this.#isTroubled(from, kind, true);
    const { random } = this.#world;
    const rollBack = (): void => {
      this.#world.note('database', () => `rolls back ${kind} of ${from.name}`);
      lock.release();
      this.#fail(from, kind, done);
    };
    if (this.#unheard(from, kind)) return this.#fail(from, kind, done);
    this.#world.after(this.#latencyMs(slowed), () => {
      if (this.#era !== era) return this.#fail(from, kind, done);
      lock.take(() => {
        if (this.#crashes > era) return rollBack();
        const begun = begin();
        // A position is drawn before the transaction has its number, or together with it.
        if (this.#plan.has('late-commits') && random.chance(0.3))
          this.#world.after(this.#commitMs(), () => number(begun));
        else number(begun);
      });
    });
    const number = (begun: B): void => {
      const transaction: Transaction = { xid: this.nextXid++ };
      this.open.add(transaction);
      this.#world.after(this.#commitMs(), () => {
        this.open.delete(transaction);
        if (this.#crashes > era || this.#goesWrong('failing-statements')) return rollBack();
        this.onDisk = Math.max(this.onDisk, transaction.xid);
        // Transactions of other programs that roll back: nothing of them reaches the disk.
        if (this.#plan.has('crashes')) this.nextXid += 2;
        const answer = commit(begun, transaction.xid);
        this.#onCommit();
        lock.release();
        this.#answer(from, kind, era, slowed, answer, done);
      });
    };
  }

  #commitMs(): number {
    const { random, nowMs } = this.#world;
    const late = nowMs < this.#plan.healMs && this.#plan.has('late-commits') && random.chance(0.25);
    return late ? random.between(0, 2) * this.#plan.leaseMs : random.between(0.1, 1);
  }
}

const failures = new Map<Statement, Error>();

/** One error object for each kind, because making one costs more than everything else in a step. */
export function failed(kind: Statement): Error {
  const error = failures.get(kind) ?? new Error(`${kind} has failed`);
  failures.set(kind, error);
  return error;
}
