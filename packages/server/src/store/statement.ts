import type pg from 'pg';

/** Somewhere a statement can run: the pool, or one connection inside a transaction. */
export interface Queryable {
  query(config: { text: string; values: unknown[]; name?: string }): Promise<pg.QueryResult>;
}

/** A named, prepared statement: plain SQL, its parameters and its row, typed by hand and checked by a test. */
export interface Statement<Values extends unknown[], Row> {
  readonly name: string;
  readonly text: string;
  run(on: Queryable, ...values: Values): Promise<Row[]>;
}

const all: Statement<never, unknown>[] = [];

/** Every statement of the store, for the test that prepares them against the schema. */
export function everyStatement(): readonly Statement<never, unknown>[] {
  return all;
}

/**
 * Declares a statement. The name keeps its plan on the server.
 * A `Queryable` without statement names (old PgBouncer) drops it.
 */
export function statement<Values extends unknown[], Row>(name: string, text: string): Statement<Values, Row> {
  const made: Statement<Values, Row> = {
    name,
    text,
    run: async (on, ...values) => (await on.query({ name, text, values })).rows as Row[],
  };
  all.push(made as Statement<never, unknown>);
  return made;
}
