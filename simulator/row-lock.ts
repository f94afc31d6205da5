import type { Session } from './truth.ts';

/** A lock that a statement takes before it draws its position, and that its transaction holds to the end. */
export interface Lock {
  take(run: () => void): void;
  release(): void;
}

/** The lock of a row: shared by those who read it, or held by one who changes it. */
class RowLock {
  #holders = 0;
  #exclusive = false;
  readonly #waiting: { exclusive: boolean; run: () => void }[] = [];

  /** Runs the work when the lock is held. A later reader may overtake a change that waits, as in PostgreSQL. */
  take(exclusive: boolean, run: () => void): void {
    const isFree = exclusive ? this.#holders === 0 : !this.#exclusive;
    if (!isFree) return void this.#waiting.push({ exclusive, run });
    this.#holders++;
    this.#exclusive = exclusive;
    run();
  }

  release(): void {
    this.#holders--;
    if (this.#holders > 0) return;
    this.#exclusive = false;
    const waiting = this.#waiting.splice(0);
    for (const { exclusive, run } of waiting) this.take(exclusive, run);
  }
}

/** The locks of sessions' rows. */
export class RowLocks {
  readonly #rows = new Map<Session, RowLock>();

  /** @param before runs when the statement begins, before it waits */
  of(session: Session, exclusive: boolean, before: () => void = () => undefined): Lock {
    const row = this.#rows.get(session) ?? new RowLock();
    this.#rows.set(session, row);
    return {
      take: (run) => {
        before();
        row.take(exclusive, run);
      },
      release: () => row.release(),
    };
  }
}
