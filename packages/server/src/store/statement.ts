import type pg from 'pg';

/** The purpose of a statement: the node's own, endings, checks, all else; see lanes.ts. */
export type Lane = 'node' | 'ending' | 'check' | 'other';

/** Runs statements: the pool, or one connection inside a transaction. */
export interface Queryable {
  query(config: {
    text: string;
    values: unknown[];
    name?: string;
    /** The driver's timeout, if not the usual one. */
    query_timeout?: number;
    /** The lane; `other` unless set. A transaction has its connection already. */
    lane?: Lane;
  }): Promise<pg.QueryResult>;
}

/** The same database on the connections of a lane. */
export const inLane = (on: Queryable, lane: Lane): Queryable => ({
  query: (config) => on.query({ ...config, lane }),
});

/** A named, prepared statement: SQL, its parameters and its row, typed by hand and checked by a test. */
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

/** Part of PostgreSQL's error message, in any language, that says that the database is read-only. */
export const READ_ONLY = 'this database is read-only';

const WRITES = /\b(insert into|update|delete from|for share)\b/;

/**
 * A standby, which may lag, and a fenced former primary answer reading statements too. So each statement proves that its
 * transaction could write: the condition is evaluated once, before any row, and fails otherwise. Writing statements fail by
 * themselves.
 */
const proven = (text: string): string =>
  WRITES.test(text)
    ? text
    : `select answer.* from (${text}) answer where (case current_setting('transaction_read_only')
         when 'off' then 'true' else '${READ_ONLY}' end)::boolean`;

/** Declares a statement. The name keeps its plan on the server. A `Queryable` without statement names (old PgBouncer) drops it. */
export function statement<Values extends unknown[], Row>(
  name: string,
  text: string,
  lane: Lane = 'other',
): Statement<Values, Row> {
  const made: Statement<Values, Row> = {
    name,
    text: proven(text),
    run: async (on, ...values) => (await on.query({ name, text: made.text, values, lane })).rows as Row[],
  };
  all.push(made as Statement<never, unknown>);
  return made;
}

/**
 * A statement with optional conditions: one statement for each combination, so that each has its own plan. The first values are
 * the text's own; a condition refers to its own value as `$?`. A combination is declared at its first use; none, each one alone
 * and all together are declared at once.
 */
export function statementWithFilters<Row>(
  name: string,
  ownValues: number,
  text: (conditions: string) => string,
  conditions: readonly string[],
): { run(on: Queryable, values: unknown[], filters: readonly unknown[]): Promise<Row[]> } {
  const combinations = new Map<number, Statement<unknown[], Row>>();
  const combination = (bits: number): Statement<unknown[], Row> => {
    const known = combinations.get(bits);
    if (known) return known;
    const chosen = conditions.filter((_condition, i) => bits & (1 << i));
    const written = chosen.map(
      (condition, i) => `and ${condition.replaceAll('$?', `$${ownValues + i + 1}`)}`,
    );
    const made = statement<unknown[], Row>(`${name}_${bits}`, text(written.join(' ')));
    combinations.set(bits, made);
    return made;
  };
  const all = 2 ** conditions.length - 1;
  for (const bits of [0, ...conditions.map((_, i) => 1 << i), all]) combination(bits);
  return {
    run(on, values, filters) {
      if (filters.length !== conditions.length) throw new Error(`${name} takes ${conditions.length} filters`);
      const given = filters.map((value) => value !== null);
      const bits = given.reduce((sum, is, i) => sum + (is ? 1 << i : 0), 0);
      return combination(bits).run(on, ...values, ...filters.filter((_, i) => given[i]));
    },
  };
}
