import { advance, type LogCursor, readCursor, writeCursor } from '@curfew/protocol/log-cursor';
import type { Standing } from '@curfew/protocol/node';
import { movedOf } from '../epoch.ts';
import { type Queryable, type Statement, statement } from '../statement.ts';
import { edgesOf, shortCursor } from './cursors.ts';
import { COLUMNS, type EndingEvent, type LogEvent } from './event.ts';

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
const next = <Event, Values extends unknown[] = NextValues>(
  name: string,
  what: string,
  columns: string,
): Statement<Values, Next<Event>> => {
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
const ENDING_COLUMNS = `e.position, e.at, e.type, e.scope, e.reason, e.user_id,
  case when e.user_id is null then e.user_ids end as user_ids,
  e.session_ids, e.client_id, e.device_id, e.except_session, e.actor`;
const nextEndings = next<EndingEvent>('next_endings', "e.type <> 'session_started'", ENDING_COLUMNS);
const WANTED = 'e.type = any($8::text[])';
type WantedValues = [...NextValues, types: readonly LogEvent['type'][]];
const nextWanted = next<EndingEvent, WantedValues>('next_wanted', WANTED, ENDING_COLUMNS);
const nextPositions = next<{ position: number }, WantedValues>('next_positions', WANTED, 'e.position');

/** An event, and from where a reader that has it can go on without missing one. */
interface FollowedEvent extends LogEvent {
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
interface Asker {
  id: string | null;
  newest: string;
}

const NOBODY: Asker = { id: null, newest: '-' };

/** Which database the log was read from, and whether it has gone back behind what its reader knows. */
interface LogStanding extends Standing {
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

/** The same of what a reader wants. */
export async function readWanted(
  on: Queryable,
  cursor: string,
  limit: number,
  types: readonly LogEvent['type'][],
): Promise<News<EndingEvent>> {
  const { rows, step: _, ...news } = await readNext(on, wanting(nextWanted, types), cursor, limit, []);
  return { ...news, events: rows };
}

/** The same, and of the events nothing but their positions. */
export async function readPositions(
  on: Queryable,
  cursor: string,
  limit: number,
  types: readonly LogEvent['type'][],
): Promise<News<{ position: number }>> {
  const { rows, step: _, ...news } = await readNext(on, wanting(nextPositions, types), cursor, limit, []);
  return { ...news, events: rows };
}

const wanting = <Event>(
  from: Statement<WantedValues, Next<Event>>,
  types: readonly LogEvent['type'][],
): Pick<Statement<NextValues, Next<Event>>, 'run'> => ({
  run: (on, ...values) => from.run(on, ...values, types),
});

async function readNext<Event extends Pick<LogEvent, 'position'>>(
  on: Queryable,
  from: Pick<Statement<NextValues, Next<Event>>, 'run'>,
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
