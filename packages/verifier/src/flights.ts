/** Work under way, by what it is for: whoever wants the same joins it, and there is never more of it than the limit. */
export class Flights<T> {
  readonly #limit: number;
  readonly #underWay = new Map<string, Promise<T>>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#underWay.size;
  }

  /** Joins the work for the key, or begins it; null when there is too much under way. */
  join(key: string, work: () => Promise<T>): Promise<T> | null {
    const there = this.#underWay.get(key);
    if (there) return there;
    if (this.#underWay.size >= this.#limit) return null;
    // It is gone before anybody who waits for it goes on: whoever begins the work again then does not join what is over.
    const begun = work().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, begun);
    return begun;
  }
}
