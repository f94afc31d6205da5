import type { Session } from './truth.ts';

/** Locks that a statement takes before it draws its position, and that its transaction holds to the end. */
export interface Lock {
  take(run: () => void): void;
  release(): void;
}

/** The lock of a row, which one transaction holds. */
class RowLock {
  #held = false;
  readonly #waiting: (() => void)[] = [];

  take(run: () => void): void {
    if (this.#held) return void this.#waiting.push(run);
    this.#held = true;
    run();
  }

  release(): void {
    this.#held = false;
    const next = this.#waiting.shift();
    if (next) this.take(next);
  }
}

/** The locks of sessions' rows. */
export class RowLocks {
  readonly #rows = new Map<Session, RowLock>();

  /**
   * The locks of some rows, in one order, so that nobody waits in a circle.
   * @param before runs when the statement begins, before it waits
   */
  of(sessions: readonly Session[], before: () => void = () => undefined): Lock {
    const rows = [...new Set(sessions)]
      .sort((a, b) => (a.facts.sid < b.facts.sid ? -1 : 1))
      .map((session) => this.#of(session));
    const takeFrom = (at: number, run: () => void): void => {
      const row = rows[at];
      if (row) row.take(() => takeFrom(at + 1, run));
      else run();
    };
    return {
      take: (run) => {
        before();
        takeFrom(0, run);
      },
      release: () => {
        for (const row of rows) row.release();
      },
    };
  }

  #of(session: Session): RowLock {
    const row = this.#rows.get(session) ?? new RowLock();
    this.#rows.set(session, row);
    return row;
  }
}
