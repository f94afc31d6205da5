/** Answers that go on until somebody ends them: a server that is to stop ends them itself. */
export class OpenStreams {
  readonly #stops = new Set<() => void>();

  /** @returns takes it out again */
  add(stop: () => void): () => void {
    this.#stops.add(stop);
    return () => void this.#stops.delete(stop);
  }

  get size(): number {
    return this.#stops.size;
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }
}
