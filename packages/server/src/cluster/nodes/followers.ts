/** A verifier that is connected to this process. */
interface Follower {
  /** As it calls itself. */
  readonly replica: string;
  readonly address: string | null;
  readonly since: Date;
  /** The age in milliseconds of what it knows, by its last renewal; null before the first one. */
  ageMs(): number | null;
  /** What was sent and is not read. */
  unreadBytes(): number;
  /** Endings that were sent and are not acknowledged. */
  behind(): number;
}

/** The verifiers that follow this process, for whoever looks at its state. */
export class Followers {
  readonly #all = new Set<Follower>();

  /** @returns takes it out again */
  add(follower: Follower): () => void {
    this.#all.add(follower);
    return () => void this.#all.delete(follower);
  }

  list(): Follower[] {
    return [...this.#all];
  }
}
