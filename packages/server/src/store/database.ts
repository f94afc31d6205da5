import type { Lane, Queryable } from './statement.ts';

/** The database, PostgreSQL or embedded: the same SQL through the same driver. */
export interface Database extends Queryable {
  /** True when no other process can write here (the embedded database): then memory needs no lease. */
  readonly sole: boolean;
  readonly description: string;
  /** Runs the work on one connection inside one transaction; rolls back when it throws. */
  transaction<T>(work: (on: Queryable) => Promise<T>, lane?: Lane): Promise<T>;
  /**
   * Listens for rings of other processes. Rings can be lost; `onGap` is called when some may have been.
   * @returns a function that stops listening
   */
  listen(channel: string, onRing: (payload: string) => void, onGap: () => void): Promise<() => Promise<void>>;
  /** Housekeeping that a PostgreSQL server does itself; call it each minute. */
  maintain?(): Promise<void>;
  close(): Promise<void>;
}

/** The database failed or did not answer. The statement may or may not have run. */
export class DatabaseError extends Error {
  override name = 'DatabaseError';
}

/** Whether PostgreSQL refused a statement with this SQLSTATE. */
export const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

/** SQLSTATE 23505: a unique index refused a row. */
export const isUniqueViolation = (error: unknown): boolean => hasCode(error, '23505');
