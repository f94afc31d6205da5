import type { System } from '../../system/system.ts';

/** Sources counted at once, about 200 bytes each. Beyond them the one whose window ends first is dropped. */
const MOST_SOURCES = 10_000;

/**
 * Counts requests whose key is not valid, by source, on this node. A key is judged first, so one that is valid is let in however
 * many wrong ones arrive beside it: a stranger behind the same address cannot lock a back end out.
 */
export class WrongKeys {
  readonly #system: Pick<System, 'monotonicMs'>;
  readonly #limit: number;
  readonly #windowMs: number;
  /** In the order in which their windows end, because all are equally long. */
  readonly #sources = new Map<string, { failures: number; endsMs: number }>();

  constructor(
    system: Pick<System, 'monotonicMs'>,
    { address, windowSeconds }: { address: number; windowSeconds: number },
  ) {
    this.#system = system;
    this.#limit = address;
    this.#windowMs = windowSeconds * 1000;
  }

  /**
   * Counts a request.
   * @param source see `sourceOf`; requests without a known source would share one limit, and are not counted
   * @returns the seconds to wait when the limit is passed, else null
   */
  count(source: string): number | null {
    if (source === '') return null;
    const nowMs = this.#system.monotonicMs();
    const counted = this.#sources.get(source);
    if (!counted || counted.endsMs <= nowMs) {
      this.#makeRoom(nowMs);
      this.#sources.set(source, { failures: 1, endsMs: nowMs + this.#windowMs });
      return null;
    }
    if (counted.failures >= this.#limit) return Math.ceil((counted.endsMs - nowMs) / 1000);
    counted.failures++;
    return null;
  }

  get size(): number {
    return this.#sources.size;
  }

  #makeRoom(nowMs: number): void {
    for (const [source, { endsMs }] of this.#sources) {
      if (endsMs > nowMs && this.#sources.size < MOST_SOURCES) break;
      this.#sources.delete(source);
    }
  }
}
