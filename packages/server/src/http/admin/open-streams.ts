/** The open streams: a server that stops ends them itself. */
export class OpenStreams {
  readonly #stops = new Set<() => void>();

  /** @returns removes it */
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
