import type { Clock } from '@curfew/protocol/clock';

/** Work for later, as the protocol asks for it. */
export type Timers = Pick<Clock, 'after' | 'every'>;

/** What is to be done once keeps this process until it is done: somebody may wait for it. What is repeated does not. */
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

/** Once, and like what is repeated: the process ends without it. */
export function later(timers: Timers, ms: number, work: () => void): () => void {
  const callOff = timers.every(ms, () => {
    callOff();
    work();
  });
  return callOff;
}

/** Work that is done once in a moment, however often it is asked for until then. The process ends without it. */
export class Soon {
  readonly #timers: Timers;
  readonly #work: () => void;
  #callOff: (() => void) | undefined;

  constructor(timers: Timers, work: () => void) {
    this.#timers = timers;
    this.#work = work;
  }

  /** What is to be done already is not put off. */
  in(ms: number): void {
    this.#callOff ??= later(this.#timers, ms, () => {
      this.#callOff = undefined;
      this.#work();
    });
  }

  /** @returns whether it was to be done */
  callOff(): boolean {
    const wasToBe = this.#callOff !== undefined;
    this.#callOff?.();
    this.#callOff = undefined;
    return wasToBe;
  }
}

export const pause = (timers: Timers, ms: number): Promise<void> =>
  new Promise((wake) => void timers.after(ms, wake));

/** Waits for the work, and no longer than so many milliseconds. @returns what became of it, or `late` */
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
