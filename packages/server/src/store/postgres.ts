import pg from 'pg';
import type { Logger } from 'pino';
import type { Database } from './database.ts';
import type { Queryable } from './statement.ts';

/** Longer than any statement of ours takes; shorter than a caller waits. Bounds late commits too. */
const STATEMENT_TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 3000;
const RECONNECT_MS = 250;

/**
 * Positions and user ids come back as numbers: both count up from 1, and 2^53 of them outlast us. `pg` would give
 * strings. Set for our connections alone, never for the whole process.
 */
export const numericBigints: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === 20) return (text: string) => toSafeNumber(text);
    if (oid === 1016)
      return (text: string) => (text === '{}' ? [] : text.slice(1, -1).split(',').map(toSafeNumber));
    return pg.types.getTypeParser(oid, format);
  }) as pg.CustomTypesConfig['getTypeParser'],
};

function toSafeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError('a bigint of the database does not fit a number');
  return value;
}

export interface PostgresOptions {
  url: string;
  pool: number;
  statementNames: boolean;
  log: Logger;
}

export function openPostgres(options: PostgresOptions): Database {
  const { url, log } = options;
  const settings: pg.ClientConfig = {
    connectionString: url,
    types: numericBigints,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'curfew',
    // Planning costs more than running most of our statements, and their best plan depends neither on the values nor
    // on how many rows there were when they were first prepared: by the index, in the order in which the joins are
    // written. Nor is any long enough to be compiled.
    options:
      '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c join_collapse_limit=1 -c jit=off',
    keepAlive: true,
  };
  const pool = new pg.Pool({
    ...settings,
    max: options.pool,
    idleTimeoutMillis: 0,
    // The server gives up on a statement, and the driver on a server that does not answer at all.
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS + 1000,
  });
  // Without this an idle connection that the server closes would end the process.
  pool.on('error', (err) => log.warn({ err }, 'a database connection was lost'));

  const named: Queryable = options.statementNames
    ? pool
    : { query: ({ text, values }) => pool.query({ text, values }) };

  return {
    sole: false,
    description: `PostgreSQL at ${new URL(url).host}`,
    query: (config) => named.query(config),
    async transaction(work) {
      const client = await pool.connect();
      let failure: Error | undefined;
      try {
        await client.query('begin');
        const result = await work(client);
        await client.query('commit');
        return result;
      } catch (error) {
        try {
          await client.query('rollback');
        } catch {
          failure = error instanceof Error ? error : new Error(String(error));
        }
        throw error;
      } finally {
        // A connection that could not even roll back is broken: hand it back to be thrown away.
        client.release(failure);
      }
    },
    listen: (channel, onRing, onGap) => listenForRings(settings, channel, onRing, onGap, log),
    close: () => pool.end(),
  };
}

async function listenForRings(
  settings: pg.ClientConfig,
  channel: string,
  onRing: (payload: string) => void,
  onGap: () => void,
  log: Logger,
): Promise<() => Promise<void>> {
  let closed = false;
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;

  const connect = async (): Promise<void> => {
    const next = new pg.Client(settings);
    let listening = false;
    const onLost = (err?: Error): void => {
      // An attempt that fails is seen here and by who waits for it: only one of the two may try again, or the attempts
      // double with each failure and take every connection of a database that comes back.
      if (!listening || closed) return;
      listening = false;
      log.warn({ err }, 'the listening connection to the database was lost; reading the log by polling');
      reconnectSoon();
    };
    next.on('error', onLost);
    next.on('end', () => onLost());
    next.on('notification', (message) => onRing(message.payload ?? ''));
    try {
      await next.connect();
      await next.query(`listen ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      // Not waited for: a connection that is half open may take its time, and its failure has been reported.
      next.end().catch(() => undefined);
      throw error;
    }
    if (closed) return next.end();
    listening = true;
    client = next;
    onGap();
  };
  const reconnectSoon = (): void => {
    timer = setTimeout(() => void connect().catch(() => !closed && reconnectSoon()), RECONNECT_MS);
  };

  await connect();
  return async () => {
    closed = true;
    clearTimeout(timer);
    await client?.end();
  };
}
