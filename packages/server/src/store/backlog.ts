import { type LogEvent, USER_OF } from './log/log-event.ts';
import { type Queryable, statement } from './statement.ts';

/* The status of the database's side of the authority, for display. Each look is bounded. */

/** More than this is not counted. */
export const MOST_COUNTED = 10_000;

const behind = statement<
  [names: string[], most: number, wants: string[]],
  { name: string; behind: number; oldest: Date | null }
>(
  'readers_behind',
  // A reader has processed every event below this that was committed when it looked.
  `select r.name, news.behind, news.oldest
   from unnest($1::text[], $3::text[]) as asked (name, wants) join readers r using (name) left join lateral (
     select count(*) as behind, min(at) as oldest from (
       select e.at from events e
       where e.xid >= coalesce(split_part(r.place, ':', 1)::xid8, r.cursor)
         and e.type = any(asked.wants::text[])
       limit $2
     ) fresh
   ) news on true`,
);

export interface ReaderBehind {
  name: string;
  /** The number of events that it may not have processed; at most MOST_COUNTED. */
  behind: number;
  oldest: Date | null;
}

/** How far the durable readers are behind the log. */
export function readReadersBehind(
  on: Queryable,
  readers: readonly { name: string; wants: readonly string[] }[],
): Promise<ReaderBehind[]> {
  return behind.run(
    on,
    readers.map(({ name }) => name),
    MOST_COUNTED,
    readers.map(({ wants }) => `{${wants.join(',')}}`),
  );
}

type EndedScope = Pick<
  LogEvent,
  'position' | 'at' | 'scope' | 'user_id' | 'user_ids' | 'client_id' | 'device_id' | 'login' | 'tenant'
>;

const pending = statement<[limit: number], EndedScope>(
  'cuts_being_marked',
  `select e.position, e.at, e.scope, ${USER_OF} as user_id, e.user_ids, e.client_id, e.device_id, e.login, e.tenant
   from readers r join events e on e.xid >= r.cursor
   where r.name = 'marker' and e.type = 'sessions_ended' and e.scope <> 'sessions'
   order by e.position desc limit $1`,
);

/** The newest cuts whose rows may not all be marked yet. */
export function readCutsBeingMarked(on: Queryable, limit: number): Promise<EndedScope[]> {
  return pending.run(on, limit);
}
