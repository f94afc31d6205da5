import type { Log } from './options.ts';

/** The audiences that this back end accepts: those of its options, or else the one that the authority says of its key. */
export class AcceptedAudiences {
  readonly #given: readonly string[] | null;
  readonly #log: Log;
  /** Those that the log has named. */
  readonly #named = new Set<string>();
  #learnt: readonly string[] | null = null;
  #warned = false;

  constructor(given: readonly string[] | null, log: Log) {
    this.#given = given;
    this.#log = log;
  }

  /** Null: not known yet. */
  get accepted(): readonly string[] | null {
    return this.#given ?? this.#learnt;
  }

  /**
   * Takes what the node that is connected says.
   * @param audience of the key; undefined: the node is of an older version
   * @returns whether earlier answers were for another audience
   */
  learn(audience: string | undefined): boolean {
    if (this.#given !== null) return false;
    if (audience === undefined) {
      if (!this.#warned)
        this.#log('error', 'the authority does not name the audience of the key: set the option audience');
      this.#warned = true;
      return false;
    }
    const before = this.#learnt;
    if (audience === before?.[0]) return false;
    this.#learnt = [audience];
    return before !== null;
  }

  /** Whether the log has still to name an audience. */
  isNew(audience: string): boolean {
    return !this.#named.has(audience);
  }

  /** Notes that a genuine credential was for another audience; once for each, of which the authority has few. */
  refuse(audience: string): void {
    if (!this.isNew(audience)) return;
    this.#named.add(audience);
    const accepted = (this.accepted ?? []).map((one) => JSON.stringify(one)).join(', ');
    this.#log(
      'warn',
      `a credential for the audience ${JSON.stringify(audience)} was refused: this back end accepts ${accepted}`,
    );
  }
}
