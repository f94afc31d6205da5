/** Every single latency, exactly: no histogram buckets, so that p99 of a few hundred samples means something. */
export class Latencies {
  #values = new Float64Array(4096);
  #count = 0;

  add(ms: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = ms;
  }

  get count(): number {
    return this.#count;
  }

  /** Milliseconds below which the share of the answers lies; 0 without any answer. */
  quantiles(...shares: number[]): number[] {
    const sorted = this.#values.slice(0, this.#count).sort();
    return shares.map((share) => sorted[Math.min(this.#count - 1, Math.floor(share * this.#count))] ?? 0);
  }
}
