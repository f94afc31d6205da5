import type { Clock, Instant } from '@curfew/protocol/clock';

/** A clock that is moved by hand. */
export class HandClock implements Clock {
  monotonicMs = 1000;
  wallMs = 1_700_000_000_000;
  readonly #due: { atMs: number; work: () => void; everyMs: number | null }[] = [];

  now(): Instant {
    return { monotonicMs: this.monotonicMs, wallMs: this.wallMs };
  }

  after(ms: number, work: () => void): () => void {
    return this.#add(ms, work, null);
  }

  every(ms: number, work: () => void): () => void {
    return this.#add(ms, work, ms);
  }

  #add(ms: number, work: () => void, everyMs: number | null): () => void {
    const one = { atMs: this.monotonicMs + ms, work, everyMs };
    this.#due.push(one);
    return () => {
      const at = this.#due.indexOf(one);
      if (at >= 0) this.#due.splice(at, 1);
    };
  }

  /** How far the next moment is at which somebody stops waiting for an answer; infinite while nobody waits for one. */
  get patienceMs(): number {
    const waits = this.#due.filter(({ everyMs }) => everyMs === null);
    return Math.min(...waits.map(({ atMs }) => atMs)) - this.monotonicMs;
  }

  /** Advances both clocks, and runs due timers at their instants. */
  pass(ms: number): void {
    const untilMs = this.monotonicMs + ms;
    for (;;) {
      const next = this.#due.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (!next || next.atMs > untilMs) break;
      this.#move(next.atMs - this.monotonicMs);
      if (next.everyMs === null) this.#due.splice(this.#due.indexOf(next), 1);
      else next.atMs += next.everyMs;
      next.work();
    }
    this.#move(untilMs - this.monotonicMs);
  }

  #move(ms: number): void {
    this.monotonicMs += ms;
    this.wallMs += ms;
  }

  /** The machine sleeps: the monotonic clock stops. */
  sleep(ms: number): void {
    this.wallMs += ms;
  }
}
