import { readActor } from '../domain/actor.ts';
import type { Ended } from '../domain/ending.ts';
import type { EndReason } from '../domain/session.ts';
import { type Queryable, type Statement, statement, statementWithFilters } from './statement.ts';

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

const placeSince = statement<[since: Date], { first: string; horizon: string }>(
  'place_since',
  // "offset 0" keeps the planner at the index of instants: it would walk the transactions from the log's beginning on.
  `select coalesce((select min(xid) from (select xid from events where at >= $1 offset 0) e),
       (select max(xid) from events), '0'::xid8)::text as first,
     pg_snapshot_xmin(pg_current_snapshot())::text as horizon`,
);

/** The place of a reader that begins now and must know what was dated at or after an instant. */
export async function placeOf(on: Queryable, since: Date): Promise<Place> {
  const [row] = await placeSince.run(on, since);
  if (!row) throw new Error('the database gave no snapshot');
  return { cursor: older(row.first, row.horizon), given: new Map() };
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

/*
 * The endings of an application and of everyone name no user. They are of those whose sessions were open then, as far as
 * these are still kept: the first that ends a session dates its end.
 */
const endedWide = (
  userId: string,
): string => `e.user_id is null and e.scope in ('client', 'everyone') and exists (
       select 1 from user_sessions s
       where s.user_id = ${userId} and s.born < e.position and (e.scope = 'everyone' or s.client_id = e.client_id)
         and coalesce(s.ended_at, least(s.idle_expires_at, s.expires_at)) >= e.at)`;

const CONDITIONS = [
  'e.type = $?',
  'e.reason = $?',
  // By the index on the user and the position: what names several users has no user of its own, and is rare.
  `e.position in (select position from events where user_id = $?
     union select position from events where user_id is null and user_ids @> array[$?]::bigint[]
     union select e.position from events e where ${endedWide('$?')})`,
  // The actor without the session that asked; see domain/actor.ts.
  `split_part(e.actor, '/', 1) = $?`,
  'e.client_id = $?',
  'e.at >= $?',
  'e.at < $?',
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

/** What is wanted of the log; null for whatever it is. */
export interface EventFilter {
  type: string | null;
  reason: string | null;
  userId: number | null;
  /** 'user:<id>', 'service', 'operator' or 'system'. */
  actor: string | null;
  clientId: string | null;
  /** From this instant on. */
  since: Date | null;
  /** Before this one. */
  until: Date | null;
}

export const EVERY_EVENT: EventFilter = {
  type: null,
  reason: null,
  userId: null,
  actor: null,
  clientId: null,
  since: null,
  until: null,
};

/** A page of the log: the newest before a position, or, with `after`, the oldest after it. */
export function readEvents(
  on: Queryable,
  filter: EventFilter,
  from: { before: number | null; after: number | null },
  limit: number,
): Promise<LogEvent[]> {
  const page = from.after === null ? newestEvents : oldestEvents;
  const { type, reason, userId, actor, clientId, since, until } = filter;
  return page.run(
    on,
    [limit],
    [type, reason, userId, actor, clientId, since, until, from.before, from.after],
  );
}

const wideOfUser = statement<[userId: number, positions: number[]], { position: number }>(
  'wide_endings_of_user',
  `select e.position from events e where e.position = any($2::bigint[]) and ${endedWide('$1')}`,
);

/** The same for events in hand. The database is asked only where an event does not say itself whose sessions it ended. */
export async function passing<Event extends LogEvent>(
  on: Queryable,
  events: readonly Event[],
  filter: EventFilter,
): Promise<Event[]> {
  const { userId } = filter;
  const wide = events.filter(({ scope }) => scope === 'client' || scope === 'everyone');
  const rows =
    userId === null || wide.length === 0
      ? []
      : await wideOfUser.run(
          on,
          userId,
          wide.map(({ position }) => position),
        );
  const ofUser = new Set(rows.map(({ position }) => position));
  return events.filter((event) => passesFilter(event, filter, ofUser.has(event.position)));
}

function passesFilter(event: LogEvent, filter: EventFilter, endedTheirs: boolean): boolean {
  const { type, reason, userId, actor, clientId, since, until } = filter;
  return (
    (type === null || event.type === type) &&
    (reason === null || event.reason === reason) &&
    (userId === null || event.user_id === userId || (event.user_ids ?? []).includes(userId) || endedTheirs) &&
    (actor === null || readActor(event.actor).who === actor) &&
    (clientId === null || event.client_id === clientId) &&
    (since === null || event.at >= since) &&
    (until === null || event.at < until)
  );
}

type NextValues = [cursor: string, given: number[], limit: number];
/** Two numbers of transactions in a text, which is cheaper to read than a list: below the horizon none is open; the newest event's. */
interface Edges {
  edges: string;
}
type Found<Event> = Event & Edges & { xid: string };
type Next<Event> = Found<Event> | (Edges & { position: null });

const next = <Event>(name: string, what: string, columns: string): Statement<NextValues, Next<Event>> =>
  statement(
    name,
    `with now as (
       select pg_snapshot_xmin(pg_current_snapshot()) || ' ' || coalesce((select max(xid) from events), '0'::xid8) as edges
     )
     select now.edges, ${columns}, e.xid::text as xid
     from now left join (
       select * from events
       where xid >= $1::text::xid8 and ${what} and position not in (select unnest($2::bigint[]))
       order by xid, position limit $3
     ) e on true
     order by e.xid, e.position`,
  );
const nextEvents = next<LogEvent>('next_events', 'true', COLUMNS);
// Under load these are read by the thousand: what no reader of endings needs is left where it is.
const nextEndings = next<EndingEvent>(
  'next_endings',
  "type <> 'session_started'",
  `e.position, e.at, e.type, e.scope, e.reason, e.user_id, case when e.user_id is null then e.user_ids end as user_ids,
   e.session_ids, e.client_id, e.device_id, e.except_session, e.actor`,
);

/** What the readers of endings need of a row. `user_ids` may be null where `user_id` says it. */
export type EndingEvent = Pick<LogEvent, keyof Ended | 'at' | 'actor'>;

/** An event, and from where a reader that has it can go on without missing one. Some may come again. */
export interface FollowedEvent extends LogEvent {
  cursor: string;
}

/** How far a reader has come: everything below the cursor, and these positions above it, with their transactions. */
export interface Place {
  cursor: string;
  given: ReadonlyMap<number, string>;
}

/**
 * Where the reader's cursor is kept. A database that crashed gives the numbers of transactions out again of which nothing had
 * reached the disk, so in memory it may not lie above the newest event: that is on the disk, and so is what came before it. The
 * write that keeps a cursor in the table has a later number itself, and is on the disk when it is answered.
 */
type Kept = 'memory' | 'table';

/**
 * What is in the log from a place on, in the order of the transactions, and where to go on. Complete: every transaction
 * below the returned cursor is over and was visible here, and what commits above it, however late, is given then. With
 * `more` there was no room for all of it, and asking again from the returned place gives the rest.
 */
export async function readOn(on: Queryable, from: Place, limit: number): Promise<News<FollowedEvent>> {
  const { rows, ...news } = await readNext(on, nextEvents, from, limit, 'memory');
  const events = rows.map(({ edges, xid, ...event }) => ({
    ...event,
    cursor: older(xid, edgesOf(edges)[0]),
  }));
  return { ...news, events };
}

/** The same of what has ended sessions, or changed users. */
export async function readEndings(
  on: Queryable,
  from: Place,
  limit: number,
  kept: Kept,
): Promise<News<EndingEvent>> {
  const { rows, ...news } = await readNext(on, nextEndings, from, limit, kept);
  return { ...news, events: rows };
}

/** What a reader is given. */
export interface News<Event> {
  events: Event[];
  place: Place;
  more: boolean;
}

async function readNext<Event extends Pick<LogEvent, 'position'>>(
  on: Queryable,
  from: Statement<NextValues, Next<Event>>,
  { cursor: since, given: before }: Place,
  limit: number,
  kept: Kept,
): Promise<{ rows: Found<Event>[]; place: Place; more: boolean }> {
  const rows = await from.run(on, since, [...before.keys()], limit);
  const [first] = rows;
  if (!first) throw new Error('the database gave no snapshot');
  const [horizon, newest] = edgesOf(first.edges);
  const found = rows.filter((row): row is Found<Event> => row.position !== null);
  const more = found.length === limit;
  const edge = kept === 'table' ? horizon : older(newest, horizon);
  const reached = more ? (found.at(-1)?.xid ?? edge) : edge;
  const cursor = older(newer(since, reached), horizon);
  const seen = [...before, ...found.map(({ position, xid }) => [position, xid] as const)];
  const given = new Map(seen.filter(([, xid]) => BigInt(xid) >= BigInt(cursor)));
  return { rows: found, place: { cursor, given }, more };
}

const edgesOf = (edges: string): [horizon: string, newest: string] => edges.split(' ') as [string, string];
const older = (a: string, b: string): string => (BigInt(a) < BigInt(b) ? a : b);
const newer = (a: string, b: string): string => (BigInt(a) < BigInt(b) ? b : a);

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
    note?: string | undefined;
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
    // What is undefined is left out.
    JSON.stringify({ ...event.details, note: act.note }),
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
 * above the horizon is tried again next time, for the same reason that readers go by transaction. So many events at a
 * time, to the end of a transaction, so that a backlog of any length is worked off.
 */
const writeAudit = statement<[limit: number], { more: boolean }>(
  'write_audit',
  `with before as (select coalesce((select cursor from readers where name = 'audit'), '0'::xid8) as cursor),
   edge as (
     -- Above the horizon there is no place to stop at.
     select xid from (
       select (xid::text::bigint + 1)::text::xid8 as xid from events
       where xid >= (select cursor from before) order by xid offset $1 limit 1
     ) e where xid <= pg_snapshot_xmin(pg_current_snapshot())
   ), reader as (
     insert into readers (name, cursor)
     values ('audit', least(pg_snapshot_xmin(pg_current_snapshot()), (select xid from edge)))
     on conflict (name) do update set cursor = greatest(readers.cursor, excluded.cursor)
     returning cursor
   ), written as (
     insert into logs (event_type, user_id, ip_address, message, created_at, event_position)
     select case e.type when 'session_started' then 'USER_LOGIN' else 'USER_LOGOUT' end, u.id, e.ip_address,
       case when e.type = 'session_started' then 'User ' || u.id || ' logged in successfully'
            when u.id is null then 'Sessions ended: ' || e.scope || coalesce(' ' || e.client_id, '') || ', ' || e.reason
            when e.reason = 'logout' then 'User ' || u.id || ' logged out successfully'
            else 'User ' || u.id || ' logged out: ' || e.reason end,
       e.at, e.position
     from events e
     left join lateral unnest(coalesce(e.user_ids, array[e.user_id])) as u (id) on true
     where e.xid >= (select cursor from before) and e.xid < coalesce((select xid from edge), '18446744073709551615'::xid8)
       and e.type in ('session_started', 'sessions_ended') and exists (select 1 from reader)
     order by e.position
     on conflict (event_position, coalesce(user_id, 0)) do nothing
     returning 1
   )
   select exists (select 1 from edge) as more from (select count(*) from written) w`,
);
const AUDITED_AT_ONCE = 10_000;

/** Writes the rows of contract 004's `logs` for what is new in the log, each once. */
export async function writeAuditRows(on: Queryable, atATime: number = AUDITED_AT_ONCE): Promise<void> {
  let more = true;
  while (more) more = (await writeAudit.run(on, atATime - 1))[0]?.more ?? false;
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
