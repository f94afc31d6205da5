import type { Clock, Instant } from '@curfew/protocol/clock';
import { Replica, type Watched } from '@curfew/protocol/replica';
import type { Plan } from './plan.ts';
import type { World } from './world.ts';

/** A check from memory, which may be suspended in the middle. */
let checking: Process | null = null;

// A process can be suspended between any two of its steps: here, before it looks into its replica.
const looked = Object.getOwnPropertyDescriptor(Replica.prototype, 'ends')?.value as (
  this: Replica,
  session: Watched,
) => boolean;
Replica.prototype.ends = function (this: Replica, session: Watched): boolean {
  checking?.holdUp();
  return looked.call(this, session);
};

/**
 * One process: its two clocks, and the gate through which everything reaches it (timers, messages, answers). The gate drops everything for
 * a dead process, and holds everything for a suspended one.
 */
export class Process implements Clock {
  readonly name: string;
  readonly world: World;
  readonly plan: Plan;
  /** Seconds of its monotonic clock in a second of the world. */
  readonly rate: number;
  dead = false;
  suspended = false;
  /** The instant until which this process cannot reach the database. */
  cutOffUntilMs = 0;
  lastSleptMs = Number.NEGATIVE_INFINITY;
  lastJumpedMs = Number.NEGATIVE_INFINITY;
  readonly #offsetMs: number;
  #wallMs: number;
  #sleptMs = 0;
  #suspendedMs = 0;
  #sinceMs = 0;
  #asleep = false;
  #held: { work: () => void; timer: boolean }[] = [];

  constructor(name: string, world: World, plan: Plan) {
    this.name = name;
    this.world = world;
    this.plan = plan;
    const { random } = world;
    this.rate = plan.has('drift') ? random.between(0.99, 1.01) : 1;
    this.#offsetMs = random.between(0, 1e7);
    this.#wallMs = 1.8e12 + (plan.has('wall-jumps') ? random.between(-1e7, 1e7) : random.between(-50, 50));
  }

  now(): Instant {
    if (checking === this) this.holdUp();
    const { nowMs } = this.world;
    const asleepMs = this.#sleptMs + (this.#asleep ? nowMs - this.#sinceMs : 0);
    return {
      monotonicMs: this.#offsetMs + (nowMs - asleepMs) * this.rate,
      wallMs: this.#wallMs + nowMs * this.rate,
    };
  }

  /** For how long it has been suspended in total, in the world's time. */
  get suspendedMs(): number {
    return this.#suspendedMs + (this.suspended ? this.world.nowMs - this.#sinceMs : 0);
  }

  after(ms: number, work: () => void): () => void {
    let off = false;
    const dueMs = this.now().monotonicMs + ms;
    const wait = (remainingMs: number): void =>
      this.world.after(remainingMs / this.rate + this.world.random.between(0, LATEST_TIMER_MS), () =>
        this.deliver(() => {
          if (off) return;
          const missingMs = dueMs - this.now().monotonicMs;
          // The clock stood still meanwhile.
          if (missingMs > 0) wait(missingMs);
          else work();
        }, true),
      );
    wait(ms);
    return () => {
      off = true;
    };
  }

  every(ms: number, work: () => void): () => void {
    let stop = (): void => undefined;
    const again = (): void => {
      stop = this.after(ms, () => {
        again();
        work();
      });
    };
    again();
    return () => stop();
  }

  /** The gate. */
  deliver(work: () => void, timer = false): void {
    if (this.dead) return;
    if (this.suspended) this.#held.push({ work, timer });
    else work();
  }

  /**
   * @returns whether it was running: only the caller that suspended it wakes it again
   * @param sleep the whole machine sleeps: the monotonic clock stops, the wall clock goes on
   */
  suspend(sleep: boolean): boolean {
    if (this.dead || this.suspended) return false;
    this.world.note(this.name, () => (sleep ? 'falls asleep' : 'is stopped'));
    this.suspended = true;
    this.#asleep = sleep;
    this.#sinceMs = this.world.nowMs;
    if (sleep) this.lastSleptMs = Number.POSITIVE_INFINITY;
    return true;
  }

  resume(): void {
    if (!this.suspended || this.dead) return;
    this.world.note(this.name, () => 'goes on');
    const { nowMs } = this.world;
    this.#suspendedMs += nowMs - this.#sinceMs;
    if (this.#asleep) {
      this.#sleptMs += nowMs - this.#sinceMs;
      this.lastSleptMs = nowMs;
    }
    this.suspended = false;
    this.#asleep = false;
    const held = this.#held;
    this.#held = [];
    // An event loop runs its timers first.
    if (this.world.random.chance(0.5)) held.sort((a, b) => Number(b.timer) - Number(a.timer));
    for (const { work, timer } of held) this.world.after(0, () => this.deliver(work, timer));
  }

  kill(): void {
    this.world.note(this.name, () => 'dies');
    this.dead = true;
    this.#held = [];
  }

  jump(ms: number): void {
    this.world.note(this.name, () => `has its wall clock moved by ${ms.toFixed(0)} ms`);
    this.#wallMs += ms;
    this.lastJumpedMs = this.world.nowMs;
  }

  /** Runs a check from memory. The process may be suspended in the middle of it. */
  check<T>(work: () => T): T {
    return during(this, work);
  }

  /** Evaluates something without a suspension, for the invariants. */
  static observe<T>(work: () => T): T {
    return during(null, work);
  }

  holdUp(): void {
    const { world, plan } = this;
    if (!plan.has('pauses') || world.depth > 0 || !world.random.chance(0.02)) return;
    const untilMs = world.nowMs + world.random.between(0.05, 2.5) * plan.leaseMs;
    if (untilMs >= plan.healMs) return;
    this.suspend(plan.has('sleeps') && mayChangeClocks(this) && world.random.chance(0.3));
    world.depth++;
    during(null, () => world.run(untilMs));
    world.depth--;
    this.resume();
  }
}

function during<T>(who: Process | null, work: () => T): T {
  const before = checking;
  checking = who;
  try {
    return work();
  } finally {
    checking = before;
  }
}

/** The most that a timer is late. */
export const LATEST_TIMER_MS = 2;

/**
 * A sleep is noticed by the wall clock alone, so a wall clock that is moved back by the very length of the sleep would hide it. The
 * guarantee does not cover that, so here no wall clock moves within two leases of a sleep of the same machine.
 */
export function mayChangeClocks(process: Process): boolean {
  const apartMs = 2 * process.plan.leaseMs;
  const { nowMs } = process.world;
  return nowMs - process.lastSleptMs > apartMs && nowMs - process.lastJumpedMs > apartMs;
}
