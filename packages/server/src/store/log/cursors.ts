import {
  advance,
  type LogCursor,
  lowest,
  readCursor,
  type Snapshot,
  writeCursor,
} from '@curfew/protocol/log-cursor';
import { type Queryable, statement } from '../statement.ts';

/* The cursors of readers that begin now, and the durable cursors of readers. */

/** The cursor of a reader that wants the whole log. */
const NOWHERE: LogCursor = { next: 0, open: new Map() };

const firstSince = statement<[since: Date], { first: string; snapshot: string }>(
  'place_since',
  // "offset 0" keeps the planner on the index of instants: it would scan the transactions from the log's beginning.
  `select coalesce((select min(xid) from (select xid from events where at >= $1 offset 0) e),
       (select max(xid) from events), '0'::xid8)::text as first,
     pg_current_snapshot()::text as snapshot`,
  'node',
);

/** The cursor of a reader that begins now and needs every event dated at or after an instant. */
export async function cursorSince(on: Queryable, since: Date): Promise<string> {
  const [row] = await firstSince.run(on, since);
  if (!row) throw new Error('the database returned no snapshot');
  // Transactions that were open may be dated after that instant too.
  const first = Number(row.first);
  return writeCursor(advance({ next: first, open: new Map() }, snapshotOf(row.snapshot), first - 1, null));
}

const snapshotNow = statement<[], { edges: string }>(
  'log_horizon',
  `select pg_current_snapshot() || ' ' || coalesce((select max(xid) from events), '0'::xid8) as edges`,
);

/** The cursor of a reader that begins now without history. */
export async function cursorNow(on: Queryable): Promise<string> {
  const [row] = await snapshotNow.run(on);
  if (!row) throw new Error('the database returned no snapshot');
  const { seen, newest } = edgesOf(row.edges);
  return writeCursor(advance(NOWHERE, seen, newest, null));
}

const ownTransaction = statement<[], never>('own_transaction', 'select pg_current_xact_id()');

/**
 * The transactions that are open now. A snapshot leaves out those above the highest that is over, so one that is above them all is
 * over first.
 */
export async function openNow(on: Queryable): Promise<readonly number[]> {
  await ownTransaction.run(on);
  const [row] = await snapshotNow.run(on);
  if (!row) throw new Error('the database returned no snapshot');
  return edgesOf(row.edges).seen.open;
}

export function edgesOf(edges: string): { seen: Snapshot; newest: number } {
  const [snapshot = '', newest] = edges.split(' ');
  return { seen: snapshotOf(snapshot), newest: Number(newest) };
}

/** Reads PostgreSQL's text form of a snapshot: `xmin:xmax:xip,xip`. */
function snapshotOf(text: string): Snapshot {
  const [, next, open] = text.split(':');
  return { next: Number(next), open: open ? open.split(',').map(Number) : [] };
}

/** The maximum length of a streamed event's id. */
const CURSOR_CHARS = 1000;

/** The cursor for a client to keep. With very many open transactions some events come twice instead. */
export function shortCursor(cursor: LogCursor): string {
  const text = writeCursor(cursor);
  return text.length <= CURSOR_CHARS ? text : String(lowest(cursor));
}

interface CursorRow {
  cursor: string;
  below: string;
}
const CURSOR_COLUMNS = 'coalesce(place, cursor::text) as cursor, cursor::text as below';

const place = statement<[name: string], CursorRow>(
  'reader_place',
  `select ${CURSOR_COLUMNS} from readers where name = $1`,
);
const newCursor = statement<[name: string, fromStart: boolean], CursorRow>(
  'reader_cursor',
  `insert into readers (name, cursor)
   values ($1, case when $2 then '0'::xid8 else pg_snapshot_xmin(pg_current_snapshot()) end)
   on conflict (name) do update set name = excluded.name
   returning ${CURSOR_COLUMNS}`,
);

/**
 * Reads a durable reader's cursor; a new reader begins at the present, or at the log's beginning. Does not wait for a transaction
 * that moves it.
 * @returns `below`: every event of a lower transaction has been processed, and none is open
 */
export async function readerCursor(
  on: Queryable,
  name: string,
  begins: 'now' | 'at the start' = 'now',
): Promise<CursorRow> {
  const [row] = await place.run(on, name);
  const [found] = row ? [row] : await newCursor.run(on, name, begins === 'at the start');
  if (!found) throw new Error('the reader has no cursor');
  return found;
}

const moveCursor = statement<[name: string, below: string, place: string | null, next: string], never>(
  'move_reader',
  // A slower node does not move the others back.
  `update readers set cursor = greatest(cursor, $2::text::xid8), place = coalesce($3, place)
   where name = $1 and case when $3::text is null then cursor < $2::text::xid8
     else place is null or split_part(place, ':', 1)::xid8 <= $4::text::xid8 end`,
);

/** Stores that a reader has processed everything up to the cursor. */
export async function moveReader(on: Queryable, name: string, cursor: string): Promise<void> {
  const to = readCursor(cursor);
  await moveCursor.run(on, name, String(lowest(to)), cursor, String(to.next));
}

const take = statement<[name: string, from: string, below: string, place: string], { name: string }>(
  'take_place',
  `update readers set cursor = greatest(cursor, $3::text::xid8), place = $4
   where name = $1 and coalesce(place, cursor::text) = $2 returning name`,
);

/**
 * Moves a reader's cursor within a transaction, which holds it until its end. False when another node has already processed these
 * events.
 */
export async function advanceCursor(on: Queryable, name: string, from: string, to: string): Promise<boolean> {
  return (await take.run(on, name, from, String(lowest(readCursor(to))), to)).length > 0;
}

/** Moves the cursor of a reader that re-reads everything from the oldest open transaction on when it begins anew. */
export async function moveReaderBelow(on: Queryable, name: string, below: number): Promise<void> {
  await moveCursor.run(on, name, String(below), null, '0');
}
