/** Mutants that survived and were looked at. */
export interface Judgement {
  path: string;
  /** The lines as they are, and as the mutant has them, each in one. */
  was: string;
  is: string;
  why: string;
  /** It is a fault, and no test notices: it counts as survived. Otherwise it is as right as the code that it replaces. */
  open?: true;
}

export const JUDGED: readonly Judgement[] = [
  {
    path: 'packages/protocol/src/feed.ts',
    was: "const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);",
    is: 'const isNumber = (value: unknown): boolean => Number.isFinite(value);',
    why: '`Number.isFinite` is false of everything that is no number.',
  },
  {
    path: 'packages/protocol/src/feed.ts',
    was: "if (typeof message !== 'object' || message === null || typeof (message as { t?: unknown }).t !== 'string')",
    is: "if (message === null || typeof (message as { t?: unknown }).t !== 'string')",
    why: 'A text, a number or a boolean has no `t` either.',
  },
  {
    path: 'packages/protocol/src/access-token.ts',
    was: 'for (let i = 0; i < bytes.length; i += 3) {',
    is: 'for (let i = 0; i <= bytes.length; i += 3) {',
    why: 'Signatures of 64 bytes alone come here: `i` is never 64.',
  },
  {
    path: 'packages/protocol/src/ended-ids.ts',
    was: 'const NO_TABLES: readonly undefined[] = Array.from({ length: TABLES }, () => undefined);',
    is: 'const NO_TABLES: readonly undefined[] = Array.from({ length: TABLES }, () => undefined as never);',
    why: 'The same value.',
  },
  {
    path: 'packages/protocol/src/ended-ids.ts',
    was: 'for (let at = filterWords(table.slots); at < words.length; at += WORDS) if (stays(at)) staying++;',
    is: 'for (let at = filterWords(table.slots); at <= words.length; at += WORDS) if (stays(at)) staying++;',
    why: 'One key more is counted at most, and the room is counted generously: the table holds the same.',
  },
  {
    path: 'packages/protocol/src/ended-ids.ts',
    was: 'room = Math.max(SMALLEST, Math.ceil(staying / (FULLEST / GROWTH ** 0.5)));',
    is: 'room = Math.max(SMALLEST, Math.floor(staying / (FULLEST / GROWTH ** 0.5)));',
    why: 'One slot less: the table holds the same, and is moved again before it is too full.',
  },
  {
    path: 'packages/protocol/src/node.ts',
    was: 'if (error || answer === undefined) return done(error, answer);',
    is: 'if (answer === undefined) return done(error, answer);',
    why: 'An answer comes with no error: `Done` gives one of the two.',
  },
  {
    path: 'packages/protocol/src/node.ts',
    was: 'if (error || news === undefined || this.#closed) {',
    is: 'if (news === undefined || this.#closed) {',
    why: 'An answer comes with no error: `Done` gives one of the two.',
  },
  {
    path: 'packages/protocol/src/node.ts',
    was: 'if (ageMs < this.#leaseMs && !this.#retiring)',
    is: 'if (ageMs <= this.#leaseMs && !this.#retiring)',
    why: 'The age of a node is below the lease, or infinite.',
  },
  ...['this.#highest + WINDOW + 1; old <= n', 'this.#highest - WINDOW + 1; old < n'].map((changed) => ({
    path: 'packages/protocol/src/rings.ts',
    was: 'else for (let old = this.#highest - WINDOW + 1; old <= n - WINDOW; old++) this.#heard.delete(old);',
    is: `else for (let old = ${changed} - WINDOW; old++) this.#heard.delete(old);`,
    why: 'Costs memory alone: a number below the window counts as heard, whether it is held or not.',
    open: true as const,
  })),
  {
    path: 'packages/protocol/src/ended-ids.ts',
    was: 'for (let at = filterWords(table.slots); at < words.length; at += WORDS) if (stays(at)) staying++;',
    is: 'for (let at = filterWords(table.slots); at >= words.length; at += WORDS) if (stays(at)) staying++;',
    why: 'Costs time alone: a table that was swept is too small, and holds the same.',
    open: true,
  },
];
