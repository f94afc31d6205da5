/**
 * Tests the simulator itself: breaks each numbered point of docs/guarantee.md on purpose. A mutation replaces one text in one source file
 * while it is loaded (see mutate.ts); production code has no part in it. Where the guarantee relies on the database or on the node's HTTP
 * side, the mutation breaks the simulator's model of it, as its file shows.
 */
export interface Mutation {
  readonly name: string;
  /** The point of docs/guarantee.md that it breaks. */
  readonly point: number;
  /** The fault, in a few words. */
  readonly wrong: string;
  /** From the repository's root. */
  readonly file: string;
  /** Each text and its replacement. Each text occurs exactly once in the file. */
  readonly edits: readonly (readonly [text: string, replacement: string])[];
}

/** A source of the protocol. */
export const protocol = (name: string): string => `packages/protocol/src/${name}.ts`;
/** A source of the simulator's model. */
export const model = (name: string): string => `simulator/${name}.ts`;
