/** Work under way, by key: callers with the same key share it, and there is never more of it than the limit. */
export class Flights<T> {
  readonly #limit: number;
  readonly #underWay = new Map<string, Promise<T>>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#underWay.size;
  }

  /** Joins the work for the key, or starts it; null when too much is under way. */
  join(key: string, work: () => Promise<T>): Promise<T> | null {
    const there = this.#underWay.get(key);
    if (there) return there;
    if (this.#underWay.size >= this.#limit) return null;
    // Removed before any caller continues: a caller that starts the work again must not join finished work.
    const begun = work().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, begun);
    return begun;
  }
}
