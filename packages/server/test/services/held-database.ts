/** Exact interleavings: a named statement stops where the test wants it, and continues when the test says so. */
import { onTestFinished } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import type { Queryable } from '../../src/store/statement.ts';

/**
 * Where it stops: before it is sent; executed, in a transaction that has not committed yet; or committed, its answer not given yet.
 */
export type HeldAt = 'before' | 'uncommitted' | 'after';
export const EVERYWHERE: readonly HeldAt[] = ['before', 'uncommitted', 'after'];

interface Held {
  /** Resolves when the statement has come there. */
  readonly reached: Promise<void>;
  /** Lets it go on, or pass if it comes later. */
  release: () => void;
}

/** Stops the next statement of that name, in a transaction or outside one. All others pass. */
export function hold(database: Database, name: string, at: HeldAt): Held {
  let reach = (): void => undefined;
  let release = (): void => undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const over = new Promise<void>((resolve) => (release = resolve));
  let taken = false;
  const stop = async (): Promise<void> => {
    reach();
    await over;
  };
  type Query = Queryable['query'];
  const holding =
    (query: Query, inTransaction: boolean): Query =>
    async (config) => {
      if (config.name !== name || taken) return query(config);
      taken = true;
      if (at === 'before') await stop();
      if (at !== 'uncommitted' || inTransaction) {
        const answer = await query(config);
        if (at !== 'before') await stop();
        return answer;
      }
      return transaction(async (on) => {
        const answer = await on.query(config);
        await stop();
        return answer;
      }, config.lane);
    };
  const query = database.query.bind(database);
  const transaction = database.transaction.bind(database);
  const held: Pick<Database, 'query' | 'transaction'> = {
    query: holding(query, false),
    transaction: (work, lane) => transaction((on) => work({ query: holding(on.query.bind(on), true) }), lane),
  };
  Object.assign(database, held);
  const letGo = (): void => {
    release();
    // Others may have been laid over it, so it stays where it is and lets everything pass.
    taken = true;
  };
  // A test that is red must not hold those after it.
  onTestFinished(letGo);
  return {
    reached,
    release: letGo,
  };
}

/**
 * Counts the statements of that name that are on their way, from here on. {@link hold} holds the next one: before it makes sense, one that
 * was sent already has to be over.
 */
export function countUnderWay(database: Database, name: string): () => number {
  let underWay = 0;
  const query = database.query.bind(database);
  const counted: Database['query'] = async (config) => {
    if (config.name !== name) return query(config);
    underWay++;
    try {
      return await query(config);
    } finally {
      underWay--;
    }
  };
  Object.assign(database, { query: counted });
  return () => underWay;
}
