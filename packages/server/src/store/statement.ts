import type pg from 'pg';

/** What a statement is for: what the node itself needs, ending sessions, checking them, all else; see lanes.ts. */
export type Lane = 'node' | 'ending' | 'check' | 'other';

/** Somewhere a statement can run: the pool, or one connection inside a transaction. */
export interface Queryable {
  query(config: {
    text: string;
    values: unknown[];
    name?: string;
    /** How long the driver waits for the answer, when not as long as always. */
    query_timeout?: number;
    /** Whose connections it takes; those of `other` unless set. Inside a transaction there is one already. */
    lane?: Lane;
  }): Promise<pg.QueryResult>;
}

/** The same on the connections of a lane. */
export const inLane = (on: Queryable, lane: Lane): Queryable => ({
  query: (config) => on.query({ ...config, lane }),
});

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

/** What says in a failure that the database is not to be believed: part of PostgreSQL's message, in any language. */
export const READ_ONLY = 'this database is read-only';

const WRITES = /\b(insert into|update|delete from|for share)\b/;

/**
 * A statement that only reads is answered by a standby too, which may lag, and by a former primary that was fenced. So each
 * proves that its transaction could write: the condition is looked at once, before any row, and fails where it does not hold.
 * What writes fails by itself.
 */
const proven = (text: string): string =>
  WRITES.test(text)
    ? text
    : `select answer.* from (${text}) answer where (case current_setting('transaction_read_only')
         when 'off' then 'true' else '${READ_ONLY}' end)::boolean`;

/**
 * Declares a statement. The name keeps its plan on the server.
 * A `Queryable` without statement names (old PgBouncer) drops it.
 */
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
 * A statement with conditions that are there or not: one plain statement for each combination, so that each has its own
 * plan. The first values are those of the text itself; a condition writes its own value as `$?`. A combination is
 * declared when it is first asked for; none, each one alone and all together are there from the start.
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
