import type { EndReason } from '../domain/session.ts';
import { type Queryable, statement, statementWithFilters } from './statement.ts';

/** How far a scope reaches: named sessions, one user but for one session, or a cut's key. */
export type EndScope = 'sessions' | 'others' | 'user' | 'users' | 'device' | 'client' | 'everyone';

/** One row of the log. */
export interface LogEvent {
  position: number;
  at: Date;
  type: 'session_started' | 'sessions_ended' | 'user_changed' | 'user_created' | 'keys_rotated';
  scope: EndScope | null;
  reason: EndReason | null;
  user_id: number | null;
  user_ids: number[] | null;
  session_ids: string[] | null;
  client_id: string | null;
  device_id: string | null;
  except_session: string | null;
  actor: string;
  contract: string | null;
  ip_address: string | null;
  user_agent: string | null;
  request_id: string | null;
  details: Record<string, unknown> | null;
}

const COLUMNS = `e.position, e.at, e.type, e.scope, e.reason, e.user_id, e.user_ids, e.session_ids, e.client_id,
  e.device_id, e.except_session, e.actor, e.contract, e.ip_address, e.user_agent, e.request_id, e.details`;

const endingsSince = statement<[cursor: string], { horizon: string } & (LogEvent | { position: null })>(
  'endings_since',
  `with horizon as (select pg_snapshot_xmin(pg_current_snapshot())::text as horizon)
   select horizon.horizon, ${COLUMNS}
   from horizon left join events e on e.xid >= $1::text::xid8 and e.type <> 'session_started'
   order by e.position`,
);

/**
 * What has ended sessions, or changed users, since a cursor, and the cursor to go on from. Complete: every
 * transaction below the returned cursor is over and was visible here. What is above it is given again next time,
 * so that nothing that commits late is stepped over; applying an event twice does nothing.
 */
export async function readEndings(
  on: Queryable,
  cursor: string,
): Promise<{ cursor: string; events: LogEvent[] }> {
  return pageOf(await endingsSince.run(on, cursor));
}

function pageOf(rows: ({ horizon: string } & (LogEvent | { position: null }))[]): {
  cursor: string;
  events: LogEvent[];
} {
  const [first] = rows;
  if (!first) throw new Error('the database gave no snapshot');
  return {
    cursor: first.horizon,
    events: rows.filter((row): row is LogEvent & { horizon: string } => row.position !== null),
  };
}

const recentEndings = statement<[since: Date], { horizon: string } & (LogEvent | { position: null })>(
  'recent_endings',
  `with horizon as (select pg_snapshot_xmin(pg_current_snapshot())::text as horizon)
   select horizon.horizon, ${COLUMNS}
   from horizon left join events e on e.at >= $1 and e.type <> 'session_started'
   order by e.position`,
);

/** The same since an instant, for a reader that begins now and must know what happened lately. */
export async function readRecentEndings(
  on: Queryable,
  since: Date,
): Promise<{ cursor: string; events: LogEvent[] }> {
  return pageOf(await recentEndings.run(on, since));
}

const horizonNow = statement<[], { horizon: string }>(
  'log_horizon',
  `select pg_snapshot_xmin(pg_current_snapshot())::text as horizon`,
);

/** The cursor of a reader that begins now and needs no history. */
export async function logHorizon(on: Queryable): Promise<string> {
  const [row] = await horizonNow.run(on);
  if (!row) throw new Error('the database gave no snapshot');
  return row.horizon;
}

const CONDITIONS = [
  'e.type = $?',
  'e.reason = $?',
  '(e.user_id = $? or e.user_ids @> array[$?]::bigint[])',
  'e.position < $?',
  'e.position > $?',
];
const newestEvents = statementWithFilters<LogEvent>(
  'newest_events',
  1,
  (conditions) =>
    `select ${COLUMNS} from events e where true ${conditions} order by e.position desc limit $1`,
  CONDITIONS,
);
const oldestEvents = statementWithFilters<LogEvent>(
  'oldest_events',
  1,
  (conditions) => `select ${COLUMNS} from events e where true ${conditions} order by e.position limit $1`,
  CONDITIONS,
);

export interface EventFilter {
  type: string | null;
  reason: string | null;
  userId: number | null;
}

/** A page of the log: the newest before a position, or, with `after`, the oldest after it. */
export function readEvents(
  on: Queryable,
  filter: EventFilter,
  from: { before: number | null; after: number | null },
  limit: number,
): Promise<LogEvent[]> {
  const page = from.after === null ? newestEvents : oldestEvents;
  return page.run(on, [limit], [filter.type, filter.reason, filter.userId, from.before, from.after]);
}

const appendEvent = statement<
  [
    at: Date,
    type: string,
    userId: number | null,
    actor: string,
    contract: string | null,
    ip: string | null,
    userAgent: string | null,
    requestId: string | null,
    details: string | null,
  ],
  { position: number }
>(
  'append_event',
  `insert into events (at, type, user_id, actor, contract, ip_address, user_agent, request_id, details)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb) returning position`,
);

/** Appends an event that ends nothing by itself: a user created or changed, keys rotated. */
export async function append(
  on: Queryable,
  event: { type: LogEvent['type']; userId: number | null; details: Record<string, unknown> },
  act: {
    at: Date;
    actor: string;
    contract: string | null;
    ipAddress: string | null;
    userAgent: string;
    requestId: string | null;
  },
): Promise<number> {
  const [row] = await appendEvent.run(
    on,
    act.at,
    event.type,
    event.userId,
    act.actor,
    act.contract,
    act.ipAddress,
    act.userAgent,
    act.requestId,
    JSON.stringify(event.details),
  );
  if (!row) throw new Error('the event was not appended');
  return row.position;
}

const readerCursor = statement<[name: string], { cursor: string }>(
  'reader_cursor',
  `insert into readers (name, cursor) values ($1, pg_snapshot_xmin(pg_current_snapshot()))
   on conflict (name) do update set name = excluded.name returning cursor::text as cursor`,
);

/** A durable reader's cursor; a new reader begins at the present. */
export async function readCursor(on: Queryable, name: string): Promise<string> {
  const [row] = await readerCursor.run(on, name);
  if (!row) throw new Error('the reader has no cursor');
  return row.cursor;
}

const moveCursor = statement<[name: string, cursor: string], never>(
  'move_reader',
  `update readers set cursor = $2::text::xid8 where name = $1 and cursor < $2::text::xid8`,
);

/** Remembers that a reader has dealt with everything below the cursor. */
export async function moveReader(on: Queryable, name: string, cursor: string): Promise<void> {
  await moveCursor.run(on, name, cursor);
}

/*
 * One statement: rows and cursor move together. Two nodes that write at once write each row once, by the index; a row
 * above the horizon is tried again next time, for the same reason that readers go by transaction.
 */
const writeAudit = statement<[], { written: number }>(
  'write_audit',
  `with reader as (
     insert into readers (name, cursor) values ('audit', pg_snapshot_xmin(pg_current_snapshot()))
     on conflict (name) do update set cursor = greatest(readers.cursor, excluded.cursor)
     returning cursor
   ), before as (select cursor from readers where name = 'audit'),
   written as (
     insert into logs (event_type, user_id, ip_address, message, created_at, event_position)
     select case e.type when 'session_started' then 'USER_LOGIN' else 'USER_LOGOUT' end, u.id, e.ip_address,
       case when e.type = 'session_started' then 'User ' || u.id || ' logged in successfully'
            when u.id is null then 'Sessions ended: ' || e.scope || coalesce(' ' || e.client_id, '') || ', ' || e.reason
            when e.reason = 'logout' then 'User ' || u.id || ' logged out successfully'
            else 'User ' || u.id || ' logged out: ' || e.reason end,
       e.at, e.position
     from events e
     left join lateral unnest(coalesce(e.user_ids, array[e.user_id])) as u (id) on true
     where e.xid >= coalesce((select cursor from before), '0'::xid8) and e.type in ('session_started', 'sessions_ended')
       and exists (select 1 from reader)
     order by e.position
     on conflict (event_position, coalesce(user_id, 0)) do nothing
     returning 1
   )
   select count(*) as written from written`,
);

/** Writes the rows of contract 004's `logs` for what is new in the log, each once. */
export async function writeAuditRows(on: Queryable): Promise<void> {
  await writeAudit.run(on);
}

const endedSince = statement<
  [since: Date],
  { scope: string | null; client_id: string | null; position: number; user_ids: number[] | null }
>(
  'users_ended_since',
  `select scope, client_id, position, coalesce(user_ids, array_remove(array[user_id], null)) as user_ids from events
   where type <> 'session_started' and at >= $1 and (user_id is not null or user_ids is not null
     or scope in ('client', 'everyone'))`,
);

/** Whose sessions ended since an instant. */
export async function usersEndedSince(
  on: Queryable,
  since: Date,
): Promise<{ everyone: boolean; clients: { clientId: string; position: number }[]; userIds: number[] }> {
  const rows = await endedSince.run(on, since);
  const userIds = new Set<number>();
  for (const row of rows) for (const id of row.user_ids ?? []) userIds.add(id);
  return {
    everyone: rows.some((row) => row.scope === 'everyone'),
    clients: rows
      .filter((row) => row.scope === 'client')
      .map((row) => ({ clientId: row.client_id ?? '', position: row.position })),
    userIds: [...userIds],
  };
}

const clientUsers = statement<[clientId: string, position: number], { user_id: number }>(
  'users_of_client',
  `select distinct user_id from user_sessions where client_id = $1 and born < $2`,
);

/** The users who had a session of the application born below a position. */
export async function usersOfClient(on: Queryable, clientId: string, position: number): Promise<number[]> {
  return (await clientUsers.run(on, clientId, position)).map((row) => row.user_id);
}
