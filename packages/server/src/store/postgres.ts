import pg from 'pg';
import type { Logger } from 'pino';
import type { Database } from './database.ts';
import { placeOfDatabase } from '../system/setting-forms.ts';
import { realTimers, type Timers } from '../system/timers.ts';
import { Lanes } from './lanes.ts';
import {
  beginWithSettings,
  explainRefusal,
  FINISH_CONNECTION,
  isReadOnly,
  judgeConnection,
  LOOK_AT_CONNECTION,
  type ConnectionFacts,
  STATEMENT_TIMEOUT_MS,
  startupOptions,
} from './connection-settings.ts';
import type { Queryable } from './statement.ts';

const CONNECT_TIMEOUT_MS = 3000;
const RECONNECT_MS = 250;

/**
 * Returns positions and user ids as numbers: both count up from 1 and will not reach 2^53. `pg` would return strings. Set for
 * these connections only, not for the process.
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
  if (!Number.isSafeInteger(value))
    throw new RangeError('a bigint from the database is too large for a number');
  return value;
}

interface PostgresOptions {
  url: string;
  /** The address that bypasses a pooler, for listening. Null: `url`, unless there is a pooler. */
  directUrl?: string | null;
  /** Null: PostgreSQL's default, "$user" and public. */
  schema?: string | null;
  pool: number;
  /** False behind a pooler, which gives each transaction another session: each then sends its settings along. */
  statementNames: boolean;
  log: Logger;
  /** Default: the real ones. The driver uses its own timers. */
  timers?: Timers;
}

export function openPostgres(options: PostgresOptions): Database {
  const { url, directUrl = null, schema = null, statementNames, log, timers = realTimers } = options;
  const begin = statementNames ? 'begin' : beginWithSettings(schema);
  const pool = new pg.Pool({
    ...(statementNames ? sessionAt(url, schema) : addressOf(url)),
    // Begin, statement and commit are sent together.
    pipeline: !statementNames,
    max: options.pool,
    idleTimeoutMillis: 0,
    // The server cancels a slow statement; the driver gives up on a server that does not answer at all.
    query_timeout: STATEMENT_TIMEOUT_MS + 1000,
    // The pool waits for this promise, which its types do not say.
    onConnect: (client): unknown => prove(client, statementNames ? null : begin),
  });
  // Without these listeners a connection that the server closes would end the process, idle or in use.
  pool.on('error', (err) => log.warn({ err }, 'a database connection was lost'));
  pool.on('connect', (client) => client.on('error', () => undefined));

  /** Closes each listening connection, so that a new one is opened. */
  const renewals = new Set<() => void>();
  const refused = (error: unknown): never => {
    // If a statement found a read-only database, the listening connections may be to one as well, where nobody rings.
    if (isReadOnly(error)) for (const renew of renewals) renew();
    return explainRefusal(error);
  };
  const lanes = new Lanes(options.pool, CONNECT_TIMEOUT_MS, timers);

  const inTransaction = async <T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await pool.connect().catch(refused);
    let broken = false;
    try {
      await client.query(begin);
      const result = await work(client);
      await client.query('commit');
      return result;
    } catch (error) {
      try {
        await client.query('rollback');
      } catch {
        broken = true;
      }
      broken ||= isReadOnly(error);
      return refused(error);
    } finally {
      // A connection that could not roll back, or is to a read-only database, is closed.
      client.release(broken);
    }
  };

  return {
    sole: false,
    description: `PostgreSQL at ${placeOfDatabase(url)}`,
    query: ({ lane = 'other', ...config }) =>
      lanes.run(lane, () =>
        (statementNames ? pool.query(config) : queryAlone(pool, begin, config)).catch(refused),
      ),
    transaction: (work, lane = 'other') =>
      lanes.run(lane, () => inTransaction((client) => work(statementNames ? client : nameless(client)))),
    async listen(channel, onRing, onGap) {
      const address = directUrl ?? (statementNames ? url : null);
      if (address !== null)
        return listenForRings(sessionAt(address, schema), channel, onRing, onGap, log, renewals, timers);
      log.warn(
        'CURFEW_STATEMENT_NAMES=0 and no CURFEW_DATABASE_DIRECT_URL: the database cannot notify this node, which finds the logouts of other nodes by reading the log. Without Redis each logout waits for the lease',
      );
      return async () => undefined;
    },
    close: () => pool.end(),
  };
}

const nameless = (on: Queryable): Queryable => ({ query: ({ name: _name, ...config }) => on.query(config) });

/** Runs a statement in its own transaction, in one round trip. */
async function queryAlone(
  pool: pg.Pool,
  begin: string,
  config: Parameters<Queryable['query']>[0],
): Promise<pg.QueryResult> {
  const client = await pool.connect();
  // After a failure the server refuses the rest, and the commit rolls back.
  const [begun, asked, done] = await Promise.allSettled([
    client.query(begin),
    nameless(client).query(config),
    client.query('commit'),
  ]);
  const failed = [begun, asked, done].find((step) => step.status === 'rejected');
  client.release(done.status === 'rejected' || (failed !== undefined && isReadOnly(failed.reason)));
  if (failed) throw failed.reason;
  return (asked as PromiseFulfilledResult<pg.QueryResult>).value;
}

/** Parameters of an address that would override what is set here. */
const SET_HERE = [
  'options',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'query_timeout',
  'client_encoding',
];

/** Connection options that no pooler refuses. */
function addressOf(url: string): pg.ClientConfig & { given: string } {
  const [place = '', parameters = ''] = url.split(/\?(.*)/s);
  const kept = new URLSearchParams(parameters);
  const given = kept.get('options') ?? '';
  for (const name of SET_HERE) kept.delete(name);
  return {
    connectionString: kept.size > 0 ? `${place}?${kept.toString()}` : place,
    types: numericBigints,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'curfew',
    keepAlive: true,
    given,
  };
}

/** Connection options for a session that keeps its settings. */
function sessionAt(url: string, schema: string | null): pg.ClientConfig {
  const { given, ...address } = addressOf(url);
  return { ...address, options: startupOptions(schema, given) };
}

/**
 * Checks a new connection before it is used.
 * @param begin begins a transaction with the settings, where the session has none
 * @throws UnfitDatabase
 */
async function prove(client: pg.ClientBase, begin: string | null): Promise<void> {
  const script =
    begin === null ? [FINISH_CONNECTION, LOOK_AT_CONNECTION] : [begin, LOOK_AT_CONNECTION, 'commit'];
  const results = (await client.query(script.join('; '))) as unknown as pg.QueryResult<ConnectionFacts>[];
  const [facts] = results.at(script.indexOf(LOOK_AT_CONNECTION) - script.length)?.rows ?? [];
  if (!facts) throw new Error('PostgreSQL did not answer');
  judgeConnection(facts);
}

async function listenForRings(
  settings: pg.ClientConfig,
  channel: string,
  onRing: (payload: string) => void,
  onGap: () => void,
  log: Logger,
  renewals: Set<() => void>,
  timers: Timers,
): Promise<() => Promise<void>> {
  let closed = false;
  let client: pg.Client | undefined;
  let callOff = (): void => undefined;

  const connect = async (): Promise<void> => {
    const next = new pg.Client(settings);
    let listening = false;
    const onLost = (err?: Error): void => {
      // A failed attempt is seen here and by its waiter. Only one of the two may retry, or attempts double with each failure and
      // take every connection of a database that comes back.
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
      await prove(next, null);
      await next.query(`listen ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      // Not awaited: a half-open connection may take long to close, and its failure has been reported.
      next.end().catch(() => undefined);
      throw error;
    }
    if (closed) return next.end();
    listening = true;
    client = next;
    onGap();
  };
  const reconnectSoon = (): void => {
    callOff = timers.after(RECONNECT_MS, () => void connect().catch(() => !closed && reconnectSoon()));
  };

  await connect();
  const renew = (): void => void client?.end().catch(() => undefined);
  renewals.add(renew);
  return async () => {
    closed = true;
    renewals.delete(renew);
    callOff();
    await client?.end();
  };
}
