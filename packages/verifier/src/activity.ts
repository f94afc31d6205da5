/** A credential in memory, and when it was last used. */
export interface Used {
  readonly sid: string;
  /** The authority's clock. */
  usedMs: number;
  /** Whether it waits to be told. */
  listed: boolean;
}

/** Far more than can wait on a good day; beyond it a use is not told, which costs a session its last minutes at most. */
const MOST = 100_000;
const A_MESSAGE = 500;

/** Which sessions were used, for their idle limits and "last seen": gathered here, told in batches, not at each check. */
export class Activity {
  #used: Used[] = [];

  /** Called at each check: a look and a store, no more. */
  use(one: Used, nowMs: number): void {
    one.usedMs = nowMs;
    if (one.listed || this.#used.length >= MOST) return;
    one.listed = true;
    this.#used.push(one);
  }

  /** Hands over what was used since the last call, in pieces of a message each. */
  *take(nowMs: number): Generator<[sid: string, agoMs: number][]> {
    const used = this.#used;
    this.#used = [];
    for (let i = 0; i < used.length; i += A_MESSAGE)
      yield used.slice(i, i + A_MESSAGE).map((one) => {
        one.listed = false;
        // Another node's clock may stand behind the one by which it was noted.
        return [one.sid, Math.max(0, Math.round(nowMs - one.usedMs))];
      });
  }
}
