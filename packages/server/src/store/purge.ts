import { type Queryable, statement } from './statement.ts';

/*
 * The old end of the log, the audit view and the refusals is deleted in slices: each deletes a few rows by an index and holds no
 * lock that anybody waits for. A slice begins where the last one stopped, because index entries of deleted rows still cost time.
 */

interface Slice {
  deleted: number;
  last: string | null;
}

const purgeEvents = statement<[before: Date, from: string, limit: number], Slice>(
  'purge_events',
  // Events that a reader has not processed stay, however old; so does the newest event, by which a node recognises its database.
  `with slice as (
     select position, xid, at from events
     where xid >= $2::text::xid8 and xid < least((select min(cursor) from readers), (select max(xid) from events))
     order by xid limit $3
   ), gone as (
     delete from events e using slice s where e.position = s.position and s.at < $1 returning 1
   )
   select (select count(*) from gone) as deleted, (select max(xid)::text from slice) as last`,
);

const purgeLogs = statement<[before: Date, from: string, limit: number], Slice>(
  'purge_audit_rows',
  `with slice as (
     select id, created_at from logs where id >= $2::text::bigint order by id limit $3
   ), gone as (
     delete from logs l using slice s where l.id = s.id and s.created_at < $1 returning 1
   )
   select (select count(*) from gone) as deleted, (select max(id)::text from slice) as last`,
);

const purgeRefusals = statement<[before: Date, from: string, limit: number], Slice>(
  'purge_refusals',
  `with slice as (
     select position, last_at from refusals where position >= $2::text::bigint order by position limit $3
   ), gone as (
     delete from refusals r using slice s where r.position = s.position and s.last_at < $1 returning 1
   )
   select (select count(*) from gone) as deleted, (select max(position)::text from slice) as last`,
);

const OLD = { events: purgeEvents, logs: purgeLogs, refusals: purgeRefusals };
const SLICE = 1000;
/** In one sweep; the next one continues. */
const MOST_SLICES = 100;

/**
 * Deletes rows older than the instant, from the oldest on, until a slice finds none.
 * @returns the number of deleted rows
 */
export async function purgeOld(
  on: Queryable,
  table: keyof typeof OLD,
  before: Date,
  slice: number = SLICE,
  most: number = MOST_SLICES,
): Promise<number> {
  let from = '0';
  let deleted = 0;
  for (let i = 0; i < most; i++) {
    const [done] = await OLD[table].run(on, before, from, slice);
    if (!done || done.deleted === 0 || done.last === null) break;
    deleted += done.deleted;
    from = done.last;
  }
  return deleted;
}

/*
 * A cut can end no session any more when its event is purged and every active session began above it. No session from below it appears
 * later: an event is purged after the marker has processed it and all transactions that were open beside it (docs/decisions/0025).
 * A cut that is renewed meanwhile has a higher position, and stays. The cut at position 0 stays, too: it stands for sessions that were begun
 * through logins.
 */
const purgeCutsSlice = statement<[after: string, limit: number], { last: string | null }>(
  'purge_cuts',
  // One look by the index for each client.
  `with recursive client as (
     (select client_id as id from user_sessions where is_active order by client_id limit 1)
     union all
     select (select s.client_id from user_sessions s where s.is_active and s.client_id > client.id order by s.client_id limit 1)
     from client where client.id is not null
   ), oldest as materialized (
     select least((select min(position) from events), (select min((
       select s.born from user_sessions s where s.is_active and s.client_id = client.id order by s.born limit 1
     )) from client)) as position
   ), slice as (
     select key from cuts where key > $1 order by key limit $2
   ), gone as (
     delete from cuts c using slice, oldest where c.key = slice.key and c.position between 1 and oldest.position - 1
   )
   select max(key) as last from slice`,
);

/**
 * Deletes the useless ones among the next cuts by key. A slice at a time: no index leads to the old ones.
 * @param after what the last call returned; the empty text begins anew
 */
export async function purgeCuts(on: Queryable, after: string, slice: number = SLICE): Promise<string> {
  return (await purgeCutsSlice.run(on, after, slice))[0]?.last ?? '';
}

const holding = statement<[before: Date], { name: string }>(
  'readers_holding_the_log',
  `select r.name from readers r
   where exists (select 1 from (select xid, at from events order by xid limit 1) e where e.at < $1 and e.xid >= r.cursor)`,
);

/** The readers that still need events older than the instant. */
export async function readersHolding(on: Queryable, before: Date): Promise<string[]> {
  return (await holding.run(on, before)).map(({ name }) => name);
}
