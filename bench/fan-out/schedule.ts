/** The pending events, the earliest first: a binary heap. */
export class Schedule {
  readonly #at: number[] = [];
  readonly #work: ((at: number) => void)[] = [];

  add(at: number, work: (at: number) => void): void {
    let i = this.#at.length;
    this.#at.push(at);
    this.#work.push(work);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if ((this.#at[parent] as number) <= at) break;
      this.#move(parent, i);
      i = parent;
    }
    this.#at[i] = at;
    this.#work[i] = work;
  }

  /** Runs all events, also those that events add, until none is left. */
  run(): void {
    while (this.#at.length > 0) {
      const at = this.#at[0] as number;
      const work = this.#work[0] as (at: number) => void;
      this.#dropFirst();
      work(at);
    }
  }

  #dropFirst(): void {
    const at = this.#at.pop() as number;
    const work = this.#work.pop() as (at: number) => void;
    const { length } = this.#at;
    if (length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= length) break;
      if (child + 1 < length && (this.#at[child + 1] as number) < (this.#at[child] as number)) child += 1;
      if ((this.#at[child] as number) >= at) break;
      this.#move(child, i);
      i = child;
    }
    this.#at[i] = at;
    this.#work[i] = work;
  }

  #move(from: number, to: number): void {
    this.#at[to] = this.#at[from] as number;
    this.#work[to] = this.#work[from] as (at: number) => void;
  }
}
