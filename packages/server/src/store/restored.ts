import type { Database } from './database.ts';
import { oneStarterAtATime, unhurried } from './start-lock.ts';
import { statement } from './statement.ts';

/*
 * A dump that is restored into another PostgreSQL brings the old cluster's transaction ids along, in `events.xid` and in the
 * cursors of durable readers. Where the new cluster's ids are still lower, a reader would not see new events until they have
 * caught up, and never those before; a reader that begins now would get the whole history.
 */

const isAhead = statement<[], { ahead: boolean }>(
  'log_is_ahead',
  // A visible row was committed below the snapshot's xmax, and no cursor was ever given out above that.
  `select exists (select 1 from events where xid >= pg_snapshot_xmax(pg_current_snapshot()))
     or exists (select 1 from readers where greatest(cursor, split_part(place, ':', 1)::xid8)
       > pg_snapshot_xmax(pg_current_snapshot())) as ahead`,
);

/*
 * Spreads the old cluster's events evenly, in their order, over the ids below everything written in this one. A reader continues
 * at the first event that it may not have processed: some come twice, none is lost. Positions tell old from new, because their
 * sequence is restored too and continues.
 */
const bringBack = statement<[], { events: number; readers: number }>(
  'bring_log_back',
  `with old as (
     select max(position) as last from events where xid >= pg_snapshot_xmax(pg_current_snapshot())
   ), edge as (
     select least(pg_snapshot_xmin(pg_current_snapshot()),
       (select min(xid) from events where position > coalesce((select last from old), 0))) as xid
   ), placed as materialized (
     select position, xid,
       ntile(greatest(1, least((select xid::text::bigint from edge) - 1, 1000000))::integer) over (order by xid) as place
     from events where position <= (select last from old)
   ), moved as (
     update events e set xid = p.place::text::xid8 from placed p where e.position = p.position returning 1
   ), set_back as (
     update readers r set place = null, cursor = least((select xid from edge),
       (select min(p.place)::text::xid8 from placed p where p.xid >= r.cursor))
     returning 1
   )
   select (select count(*) from moved) as events, (select count(*) from set_back) as readers`,
);

/**
 * Makes the log of a restored database readable. Call it at every start, before the log is read: a single look where there is
 * nothing to do.
 * @returns what was rewritten, or null
 */
export function bringLogBack(database: Database): Promise<{ events: number; readers: number } | null> {
  return oneStarterAtATime(database, async (on) => {
    const [look] = await isAhead.run(on);
    if (!look?.ahead) return null;
    const [done] = await bringBack.run(await unhurried(on));
    return done ?? null;
  });
}
