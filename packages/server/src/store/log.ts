import {
  advance,
  type LogCursor,
  lowest,
  readCursor,
  type Snapshot,
  writeCursor,
} from '@curfew/protocol/log-cursor';
import type { Standing } from '@curfew/protocol/node';
import { readActor } from '../domain/actor.ts';
import type { Ended } from '../domain/ending.ts';
import type { EndReason } from '../domain/session.ts';
import { movedOf } from './epoch.ts';
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

const placeSince = statement<[since: Date], { first: string; snapshot: string }>(
  'place_since',
  // "offset 0" keeps the planner at the index of instants: it would walk the transactions from the log's beginning on.
  `select coalesce((select min(xid) from (select xid from events where at >= $1 offset 0) e),
       (select max(xid) from events), '0'::xid8)::text as first,
     pg_current_snapshot()::text as snapshot`,
  'node',
);

/** The cursor of a reader that begins now and must know what was dated at or after an instant. */
export async function cursorSince(on: Queryable, since: Date): Promise<string> {
  const [row] = await placeSince.run(on, since);
  if (!row) throw new Error('the database gave no snapshot');
  // What was open may be dated after that instant too.
  const first = Number(row.first);
  return writeCursor(advance({ next: first, open: new Map() }, snapshotOf(row.snapshot), first - 1, null));
}

const snapshotNow = statement<[], { edges: string }>(
  'log_horizon',
  `select pg_current_snapshot() || ' ' || coalesce((select max(xid) from events), '0'::xid8) as edges`,
);

/** The cursor of a reader that begins now and needs no history. */
export async function cursorNow(on: Queryable): Promise<string> {
  const [row] = await snapshotNow.run(on);
  if (!row) throw new Error('the database gave no snapshot');
  const { seen, newest } = edgesOf(row.edges);
  return writeCursor(advance(NOWHERE, seen, newest, null));
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
  /** 'user:<id>', 'service', 'operator', 'system' or 'anonymous'. */
  actor: string | null;
  clientId: string | null;
  /** From this instant on. */
  since: Date | null;
  /** Before this one. */
  until: Date | null;
  /** What was refused alone, or not at all. */
  refused: boolean | null;
}

export const EVERY_EVENT: EventFilter = {
  type: null,
  reason: null,
  userId: null,
  actor: null,
  clientId: null,
  since: null,
  until: null,
  refused: null,
};

/** Where a page begins: the newest before a position, or, with `after`, the oldest after it. */
export interface ReadFrom {
  before: number | null;
  after: number | null;
}

/** A page of the log. */
export function readEvents(
  on: Queryable,
  filter: EventFilter,
  from: ReadFrom,
  limit: number,
): Promise<LogEvent[]> {
  if (filter.refused === true) return Promise.resolve([]);
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
  if (filter.refused === true) return [];
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

type NextValues = [
  next: string,
  open: string,
  given: number[],
  heldPositions: readonly number[],
  limit: number,
  asking: string | null,
  newest: string,
];
/** In the first row alone: the snapshot, and the transaction of the log's newest event; and which database this is. */
interface Edges {
  edges: string | null;
  standing: string | null;
}
type Found<Event> = Event & Edges & { xid: number };
type Next<Event> = Found<Event> | (Edges & { position: null });

// Of the transactions that were open at the last read, by their numbers; of those that began since, from there on. "offset 0"
// keeps the planner at their index: it would look for them among all positions.
const next = <Event>(name: string, what: string, columns: string): Statement<NextValues, Next<Event>> => {
  const wanted = `${what} and e.position not in (select unnest($4::bigint[])) order by e.xid, e.position limit $5`;
  return statement(
    name,
    `with now as (
       select pg_current_snapshot() || ' ' || coalesce((select max(xid) from events), '0'::xid8) as edges,
         concat_ws(' ', i.epoch, ${movedOf('i')}, i.settled,
           coalesce((select beat::text from nodes where id = $6::uuid), '-'),
           $7 = '-' or exists (select 1 from events
             where position = split_part($7, '/', 1)::bigint and xid = split_part($7, '/', 2)::xid8),
           coalesce((select position || '/' || xid from events order by xid desc limit 1), '-')) as standing
       from incarnation i
     )
     select case when row_number() over (order by e.xid, e.position) = 1 then now.edges end as edges,
       case when row_number() over (order by e.xid, e.position) = 1 then now.standing end as standing, ${columns},
       e.xid::text::bigint as xid
     from now left join (
       (select one.* from unnest($2::text::xid8[], $3::bigint[]) o (xid, given) cross join lateral
          (select e.* from (select * from events where xid = o.xid offset 0) e
             where e.position > o.given and ${wanted}) one)
       union all
       (select e.* from events e where e.xid >= $1::text::xid8 and ${wanted})
       order by xid, position limit $5
     ) e on true
     order by e.xid, e.position`,
  );
};
const nextEvents = next<LogEvent>('next_events', 'true', COLUMNS);
// Under load these are read by the thousand: what no reader of endings needs is left where it is.
const nextEndings = next<EndingEvent>(
  'next_endings',
  "e.type <> 'session_started'",
  `e.position, e.at, e.type, e.scope, e.reason, e.user_id, case when e.user_id is null then e.user_ids end as user_ids,
   e.session_ids, e.client_id, e.device_id, e.except_session, e.actor`,
);
const nextAudited = next<{ position: number }>(
  'next_audited',
  "e.type in ('session_started', 'sessions_ended')",
  'e.position',
);

/** What the readers of endings need of a row. `user_ids` may be null where `user_id` says it. */
export type EndingEvent = Pick<LogEvent, keyof Ended | 'at' | 'actor'>;

/** An event, and from where a reader that has it can go on without missing one. */
export interface FollowedEvent extends LogEvent {
  cursor: string;
}

/** What a reader is given, and where it goes on. */
export interface News<Event> {
  events: Event[];
  cursor: string;
  /** There was no room for all of it: asking again from the cursor gives the rest. */
  more: boolean;
  /** The transactions that were open when this was read. */
  open: readonly number[];
  standing: LogStanding;
}

/** A node that reads, and the newest event that its last read saw. */
export interface Asker {
  id: string | null;
  newest: string;
}

const NOBODY: Asker = { id: null, newest: '-' };

/** Which database the log was read from, and whether it has gone back behind what its reader knows. */
export interface LogStanding extends Standing {
  behind: boolean;
  newest: string;
}

function readStanding(text: string, isBehind: boolean): LogStanding {
  const [epoch = '', foreign, settled, beat = '-', there, newest = '-'] = text.split(' ');
  return {
    epoch,
    foreign: foreign !== 'f',
    settled: settled === 't',
    beat: beat === '-' ? null : Number(beat),
    behind: isBehind || there !== 't',
    newest,
  };
}

/**
 * What is in the log from a cursor on, in the order of the transactions. Complete: what was visible here and not given
 * before is given now, and what commits later, however late, is given then.
 */
export async function readOn(on: Queryable, cursor: string, limit: number): Promise<News<FollowedEvent>> {
  const { rows, step, ...news } = await readNext(on, nextEvents, cursor, limit, []);
  const events = rows.map((row) => {
    const { edges: _edges, standing: _standing, xid, ...event } = row;
    return { ...event, cursor: shortCursor(step({ xid, position: event.position })) };
  });
  return { ...news, events };
}

/**
 * The same of what has ended sessions, or changed users.
 * @param held positions that the reader has already
 */
export async function readEndings(
  on: Queryable,
  cursor: string,
  limit: number,
  held: readonly number[] = [],
  asker: Asker = NOBODY,
): Promise<News<EndingEvent & { xid: number }>> {
  const { rows, step: _, ...news } = await readNext(on, nextEndings, cursor, limit, held, asker);
  return { ...news, events: rows };
}

/** Where a reader begins that wants all that there is. */
const NOWHERE: LogCursor = { next: 0, open: new Map() };

async function readNext<Event extends Pick<LogEvent, 'position'>>(
  on: Queryable,
  from: Statement<NextValues, Next<Event>>,
  cursor: string,
  limit: number,
  held: readonly number[],
  asker: Asker = NOBODY,
): Promise<{
  rows: Found<Event>[];
  cursor: string;
  more: boolean;
  open: readonly number[];
  standing: LogStanding;
  /** The cursor of a reader that has the events up to one of these rows. */
  step: (last: { xid: number; position: number }) => LogCursor;
}> {
  const since = readCursor(cursor);
  const open = `{${[...since.open.keys()].join(',')}}`;
  const rows = await from.run(
    on,
    String(since.next),
    open,
    [...since.open.values()],
    held,
    limit,
    asker.id,
    asker.newest,
  );
  const { edges, standing } = rows[0] ?? {};
  if (!edges || !standing) throw new Error('the database gave no snapshot');
  const { seen, newest } = edgesOf(edges);
  const found = rows.filter((row): row is Found<Event> => row.position !== null);
  const more = found.length === limit;
  const step = (last: { xid: number; position: number } | null): LogCursor =>
    advance(since, seen, newest, last);
  return {
    rows: found,
    cursor: writeCursor(step(more ? (found.at(-1) ?? null) : null)),
    more,
    open: seen.open,
    standing: readStanding(standing, seen.next < since.next),
    step,
  };
}

function edgesOf(edges: string): { seen: Snapshot; newest: number } {
  const [snapshot = '', newest] = edges.split(' ');
  return { seen: snapshotOf(snapshot), newest: Number(newest) };
}

/** Reads PostgreSQL's text of a snapshot: `xmin:xmax:xip,xip`. */
function snapshotOf(text: string): Snapshot {
  const [, next, open] = text.split(':');
  return { next: Number(next), open: open ? open.split(',').map(Number) : [] };
}

/** So long may an id of a streamed event be. */
const CURSOR_CHARS = 1000;

/** For an outside that keeps it: where a great many transactions are open, some events come a second time instead. */
function shortCursor(cursor: LogCursor): string {
  const text = writeCursor(cursor);
  return text.length <= CURSOR_CHARS ? text : String(lowest(cursor));
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

const readerCursor = statement<[name: string, fromStart: boolean], { cursor: string; below: string }>(
  'reader_cursor',
  `insert into readers (name, cursor)
   values ($1, case when $2 then '0'::xid8 else pg_snapshot_xmin(pg_current_snapshot()) end)
   on conflict (name) do update set name = excluded.name
   returning coalesce(place, cursor::text) as cursor, cursor::text as below`,
);

/**
 * A durable reader's cursor. A new reader begins at the present, or at the log's beginning.
 * @returns `below`: no transaction below it is open, and every event there has been dealt with
 */
export async function readerPlace(
  on: Queryable,
  name: string,
  begins: 'now' | 'at the start' = 'now',
): Promise<{ cursor: string; below: string }> {
  const [row] = await readerCursor.run(on, name, begins === 'at the start');
  if (!row) throw new Error('the reader has no cursor');
  return row;
}

const moveCursor = statement<[name: string, below: string, place: string | null, next: string], never>(
  'move_reader',
  // A node that was slower does not take the others back.
  `update readers set cursor = greatest(cursor, $2::text::xid8), place = coalesce($3, place)
   where name = $1 and case when $3::text is null then cursor < $2::text::xid8
     else place is null or split_part(place, ':', 1)::xid8 <= $4::text::xid8 end`,
);

/** Remembers that a reader has dealt with everything that the cursor says was given. */
export async function moveReader(on: Queryable, name: string, cursor: string): Promise<void> {
  const place = readCursor(cursor);
  await moveCursor.run(on, name, String(lowest(place)), cursor, String(place.next));
}

/** The same of a reader that wants everything from the oldest open transaction on again when it begins anew. */
export async function moveReaderBelow(on: Queryable, name: string, below: number): Promise<void> {
  await moveCursor.run(on, name, String(below), null, '0');
}

// Nodes that write at once write each row once, by the index.
const writeAudit = statement<[positions: number[]], never>(
  'write_audit',
  `insert into logs (event_type, user_id, ip_address, message, created_at, event_position)
   select case e.type when 'session_started' then 'USER_LOGIN' else 'USER_LOGOUT' end, u.id, e.ip_address,
     case when e.type = 'session_started' then 'User ' || u.id || ' logged in successfully'
          when u.id is null then 'Sessions ended: ' || e.scope || coalesce(' ' || e.client_id, '') || ', ' || e.reason
          when e.reason = 'logout' then 'User ' || u.id || ' logged out successfully'
          else 'User ' || u.id || ' logged out: ' || e.reason end,
     e.at, e.position
   from events e
   left join lateral unnest(coalesce(e.user_ids, array[e.user_id])) as u (id) on true
   where e.position = any($1::bigint[])
   order by e.position
   on conflict (event_position, coalesce(user_id, 0)) do nothing`,
);
const AUDITED_AT_ONCE = 10_000;

/** Writes the rows of contract 004's `logs` for what is new in the log, each once. */
export async function writeAuditRows(on: Queryable, atATime: number = AUDITED_AT_ONCE): Promise<void> {
  let { cursor } = await readerPlace(on, 'audit', 'at the start');
  let more = true;
  while (more) {
    const news = await readNext(on, nextAudited, cursor, atATime, []);
    if (news.rows.length > 0)
      await writeAudit.run(
        on,
        news.rows.map(({ position }) => position),
      );
    if (news.cursor !== cursor) await moveReader(on, 'audit', news.cursor);
    ({ cursor, more } = news);
  }
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
