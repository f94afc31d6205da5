import { Random } from './random.ts';

/** Something that will happen at an instant of the world's time. */
interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly work: () => void;
}

/** An invariant that did not hold: the run ends here. */
export class Broken extends Error {
  readonly invariant: string;

  constructor(invariant: string, what: string) {
    super(`${invariant}: ${what}`);
    this.invariant = invariant;
  }
}

/** The world's own time, which no process sees, and all pending events. One random stream decides everything. */
export class World {
  readonly random: Random;
  /** A log of the events for a reader; null unless requested. */
  readonly history: string[] | null;
  nowMs = 0;
  steps = 0;
  /** Runs within runs: a process is suspended in the middle of a check while the world goes on. */
  depth = 0;
  #broken: Broken | null = null;
  readonly #due: Due[] = [];
  #order = 0;

  constructor(seed: number, keepHistory: boolean) {
    this.random = new Random(seed);
    this.history = keepHistory ? [] : null;
  }

  after(ms: number, work: () => void): void {
    const due = { atMs: this.nowMs + ms, order: this.#order++, work };
    // A binary heap, earliest first.
    const heap = this.#due;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Due;
      if (!isBefore(due, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = due;
  }

  /** Throw what this returns. The run ends with it even if the protocol catches the error and goes on. */
  broken(invariant: string, what: string): Broken {
    this.#broken ??= new Broken(invariant, what);
    return this.#broken;
  }

  /** Runs all events until an instant, and sets the time to it. */
  run(untilMs: number): void {
    for (;;) {
      const [next] = this.#due;
      if (!next || next.atMs > untilMs) break;
      this.#take();
      if (next.atMs > this.nowMs) this.nowMs = next.atMs;
      this.steps++;
      next.work();
      if (this.#broken) throw this.#broken;
    }
    if (untilMs > this.nowMs) this.nowMs = untilMs;
  }

  #take(): void {
    const heap = this.#due;
    const last = heap.pop() as Due;
    const { length } = heap;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= length) break;
      if (below + 1 < length && isBefore(heap[below + 1] as Due, heap[below] as Due)) below++;
      const child = heap[below] as Due;
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }

  note(who: string, what: () => string): void {
    this.history?.push(`${this.nowMs.toFixed(2).padStart(10)}  ${who.padEnd(12)} ${what()}`);
  }
}

const isBefore = (a: Due, b: Due): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
