import type { Database } from './database.ts';
import { oneStarterAtATime, unhurried } from './start-lock.ts';
import { statement } from './statement.ts';

/*
 * A dump that is restored into another PostgreSQL brings the numbers of the old one's transactions along: in `events.xid`,
 * and in the cursors of the durable readers. Where the new one has not counted so far yet, a reader would see nothing of what
 * is new until it has, and never what came before that; and whoever reads from the present on would be given the whole history.
 */

const isAhead = statement<[], { ahead: boolean }>(
  'log_is_ahead',
  // A row that is visible was committed below the snapshot's xmax; no cursor was ever given out above it.
  `select exists (select 1 from events where xid >= pg_snapshot_xmax(pg_current_snapshot()))
     or exists (select 1 from readers where greatest(cursor, split_part(place, ':', 1)::xid8)
       > pg_snapshot_xmax(pg_current_snapshot())) as ahead`,
);

/*
 * Events of the old cluster are spread evenly, in their order, over the numbers below everything that is and will be written
 * in this one. A reader goes on at the first that it had not surely dealt with: it is given some a second time, and none is lost.
 * Positions tell old from new, because their sequence is restored too and goes on.
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
 * Makes the log of a restored database readable here. To be called at every start, before anything reads the log: one look
 * where there is nothing to do.
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
