/** A credential in memory, and its last use. */
export interface Used {
  readonly sid: string;
  /** The authority's clock. */
  usedMs: number;
  /** Whether it waits to be sent. */
  listed: boolean;
}

/** More than ever waits normally; uses beyond it are dropped, which costs a session its last minutes at most. */
const MOST = 100_000;
const A_MESSAGE = 500;

/** The sessions that were used, for idle timeouts and "last seen": gathered at checks, sent in batches. */
export class Activity {
  #used: Used[] = [];

  /** Called at each check, so it only reads and stores. */
  use(one: Used, nowMs: number): void {
    one.usedMs = nowMs;
    if (one.listed || this.#used.length >= MOST) return;
    one.listed = true;
    this.#used.push(one);
  }

  /** Returns the sessions used since the last call, one message each. */
  *take(nowMs: number): Generator<[sid: string, agoMs: number][]> {
    const used = this.#used;
    this.#used = [];
    for (let i = 0; i < used.length; i += A_MESSAGE)
      yield used.slice(i, i + A_MESSAGE).map((one) => {
        one.listed = false;
        // Another node's clock may be behind the one that noted it.
        return [one.sid, Math.max(0, Math.round(nowMs - one.usedMs))];
      });
  }
}
