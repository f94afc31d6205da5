/** A verifier that is connected to this process. */
interface Follower {
  /** Its own name for itself. */
  readonly replica: string;
  /** Its API key; null: a service key of the settings. */
  readonly key: { id: number; name: string } | null;
  readonly address: string | null;
  readonly since: Date;
  /** The age of its replica in milliseconds at its last renewal; null before the first one. */
  ageMs(): number | null;
  /** Bytes that were sent and not read. */
  unreadBytes(): number;
  /** Endings that were sent and not acknowledged. */
  behind(): number;
}

/** The verifiers that follow this process, for its status. */
export class Followers {
  readonly #all = new Set<Follower>();

  /** @returns removes it */
  add(follower: Follower): () => void {
    this.#all.add(follower);
    return () => void this.#all.delete(follower);
  }

  list(): Follower[] {
    return [...this.#all];
  }
}
