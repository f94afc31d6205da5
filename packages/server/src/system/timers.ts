import type { Clock } from '@curfew/protocol/clock';

/** Timers, with the interface that the protocol needs. */
export type Timers = Pick<Clock, 'after' | 'every'>;

/** One-off work keeps the process alive until it is done, because a caller may wait. Repeated work does not. */
export const realTimers: Timers = {
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
  every(ms, work) {
    const timer = setInterval(work, ms).unref();
    return () => clearInterval(timer);
  },
};

/** One-off work that does not keep the process alive. */
export function later(timers: Timers, ms: number, work: () => void): () => void {
  const callOff = timers.every(ms, () => {
    callOff();
    work();
  });
  return callOff;
}

/** Repeats work at a pace that may change: each pause is asked for when it begins. Does not keep the process alive. */
export function atPace(timers: Timers, paceMs: () => number, work: () => void): () => void {
  let callOff = (): void => undefined;
  const next = (): void => {
    callOff = later(timers, paceMs(), () => {
      next();
      work();
    });
  };
  next();
  return () => callOff();
}

/** Runs work once after a pause, however often it is requested meanwhile. Does not keep the process alive. */
export class Soon {
  readonly #timers: Timers;
  readonly #work: () => void;
  #callOff: (() => void) | undefined;

  constructor(timers: Timers, work: () => void) {
    this.#timers = timers;
    this.#work = work;
  }

  /** A request does not postpone work that is due already. */
  in(ms: number): void {
    this.#callOff ??= later(this.#timers, ms, () => {
      this.#callOff = undefined;
      this.#work();
    });
  }

  /** @returns whether it was due */
  callOff(): boolean {
    const wasToBe = this.#callOff !== undefined;
    this.#callOff?.();
    this.#callOff = undefined;
    return wasToBe;
  }
}

export const pauseFor = (timers: Timers, ms: number): Promise<void> =>
  new Promise((wake) => void timers.after(ms, wake));

/** Waits for the work, at most so many milliseconds. @returns its result, or `late` */
export async function atMost<T, L>(timers: Timers, ms: number, work: Promise<T>, late: L): Promise<T | L> {
  let callOff = (): void => undefined;
  const tooLate = new Promise<L>((resolve) => {
    callOff = timers.after(ms, () => resolve(late));
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    callOff();
  }
}

class TookTooLong extends Error {
  override name = 'TookTooLong';
}

/** Waits for the work, at most so many milliseconds. @throws TookTooLong */
export async function inTime<T>(timers: Timers, ms: number, work: Promise<T>): Promise<T> {
  const late = Symbol();
  const result = await atMost(timers, ms, work, late);
  if (result === late) throw new TookTooLong(`no answer within ${ms} ms`);
  return result as T;
}
