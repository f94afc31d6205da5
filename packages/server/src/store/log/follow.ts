import { advance, type LogCursor, readCursor, writeCursor } from '@curfew/protocol/log-cursor';
import type { Provenance } from '@curfew/protocol/node';
import { movedOf } from '../epoch.ts';
import { type Queryable, type Statement, statement } from '../statement.ts';
import { edgesOf, shortCursor } from './cursors.ts';
import { COLUMNS, type EndingEvent, type LogEvent, USER_OF } from './log-event.ts';

type NextValues = [
  next: string,
  open: string,
  given: number[],
  heldPositions: readonly number[],
  limit: number,
  asking: string | null,
  newest: string,
];
/** In the first row only: the snapshot, the transaction of the newest event, and the database's identity. */
interface Edges {
  edges: string | null;
  provenance: string | null;
}
type FoundEvent<Event> = Event & Edges & { xid: number };
type Next<Event> = FoundEvent<Event> | (Edges & { position: null });

// Transactions that were open at the last read, by number; later ones, from `next` on. "offset 0" keeps the planner on their
// index: it would search all positions.
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
           coalesce((select position || '/' || xid from events order by xid desc limit 1), '-')) as provenance
       from incarnation i
     )
     select case when row_number() over (order by e.xid, e.position) = 1 then now.edges end as edges,
       case when row_number() over (order by e.xid, e.position) = 1 then now.provenance end as provenance, ${columns},
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
// Under load these rows are read by the thousand, so they hold only what readers of endings need.
const ENDING_COLUMNS = `e.position, e.at, e.type, e.scope, e.reason, ${USER_OF} as user_id,
  case when e.user_id is null then e.user_ids end as user_ids,
  e.session_ids, e.client_id, e.device_id, e.except_session, e.login, e.logins, e.tenant, e.actor`;
const nextEndings = next<EndingEvent>('next_endings', "e.type <> 'session_started'", ENDING_COLUMNS);
const WANTED = 'e.type = any($8::text[])';
type WantedValues = [...NextValues, types: readonly LogEvent['type'][]];
const nextWanted = next<EndingEvent, WantedValues>('next_wanted', WANTED, ENDING_COLUMNS);
const nextPositions = next<{ position: number }, WantedValues>('next_positions', WANTED, 'e.position');

/** An event, and a cursor from which a reader that has it can continue without a gap. */
interface FollowedEvent extends LogEvent {
  cursor: string;
}

/** A reader's page, and its next cursor. */
export interface News<Event> {
  events: Event[];
  cursor: string;
  /** The page is full: the next read, from the cursor, returns the rest. */
  more: boolean;
  /** The transactions that were open at the read. */
  open: readonly number[];
  provenance: LogProvenance;
}

/** A reading node, and the newest event of its last read. */
interface Asker {
  id: string | null;
  newest: string;
}

const NOBODY: Asker = { id: null, newest: '-' };

/** The database that the log was read from, and whether it went back behind what its reader knows. */
interface LogProvenance extends Provenance {
  behind: boolean;
  newest: string;
}

function readProvenance(text: string, isBehind: boolean): LogProvenance {
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
 * Returns the events from a cursor on, in the order of transactions. Complete: everything visible and not returned before is
 * returned now, and later commits, however late, are returned then.
 */
export async function readOn(on: Queryable, cursor: string, limit: number): Promise<News<FollowedEvent>> {
  const { rows, step, ...news } = await readNext(on, nextEvents, cursor, limit, []);
  const events = rows.map((row) => {
    const { edges: _edges, provenance: _provenance, xid, ...event } = row;
    return { ...event, cursor: shortCursor(step({ xid, position: event.position })) };
  });
  return { ...news, events };
}

/**
 * Returns the events that ended sessions or changed users.
 * @param held positions that the reader already has
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

/** Returns the events that a reader wants. */
export async function readWanted(
  on: Queryable,
  cursor: string,
  limit: number,
  types: readonly LogEvent['type'][],
): Promise<News<EndingEvent>> {
  const { rows, step: _, ...news } = await readNext(on, wanting(nextWanted, types), cursor, limit, []);
  return { ...news, events: rows };
}

/** Returns the positions of these events only. */
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
  rows: FoundEvent<Event>[];
  cursor: string;
  more: boolean;
  open: readonly number[];
  provenance: LogProvenance;
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
  const { edges, provenance } = rows[0] ?? {};
  if (!edges || !provenance) throw new Error('the database returned no snapshot');
  const { seen, newest } = edgesOf(edges);
  const found = rows.filter((row): row is FoundEvent<Event> => row.position !== null);
  const more = found.length === limit;
  const step = (last: { xid: number; position: number } | null): LogCursor =>
    advance(since, seen, newest, last);
  return {
    rows: found,
    cursor: writeCursor(step(more ? (found.at(-1) ?? null) : null)),
    more,
    open: seen.open,
    provenance: readProvenance(provenance, seen.next < since.next),
    step,
  };
}
