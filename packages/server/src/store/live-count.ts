import { LOGIN_BORN, LOGIN_OF, UNEXPIRED } from './live-session.ts';
import { type Queryable, statement } from './statement.ts';

/*
 * Counts sessions that are alive. The view open_sessions decides for each with seven looks at the cuts, which is too slow for a
 * million. Here the rows that look alive are counted, minus those ended by cuts whose rows are not marked yet: the cuts at or
 * above the first event that the marker may not have processed. Cuts also end the sessions of disabled and deleted users. A
 * transaction that stays open holds the marker's cursor: with too many events above it, every cut counts as unmarked, which costs
 * more and gives the same number.
 */

/** Of an event: it is a cut, whose rows the marker marks. */
export const IS_CUT = `type = 'sessions_ended' and (scope <> 'sessions' or logins is not null)`;
/** The events that the marker may not have processed. */
export const AT_MARKER = `xid >= (select cursor from readers where name = 'marker')`;

const anyUnmarked = statement<[most: number], { first: number | null }>(
  'first_cut_being_marked',
  `select case when count(*) = $1 then 0
     else min(position) filter (where ${IS_CUT}) end as first
   from (select position, type, scope, logins from events
     where ${AT_MARKER} order by xid limit $1) e`,
);
/** The most events to search for cuts: a count may not scan the log. */
export const LOOKED_AT = 10_000;

/** By the index, then by the idle end, which never exceeds the absolute one. Only rows that are past it are checked for recent use. */
const LIVES = `s.is_active and s.idle_expires_at > $1::timestamptz - interval '12 seconds'
  and (s.idle_expires_at > $1 or (${UNEXPIRED}))`;

const countMarked = statement<[now: Date], { count: number }>(
  'count_active_sessions',
  `select count(*) as count from user_sessions s where ${LIVES}`,
);

const countMarkedOfClient = statement<[now: Date, clientId: string], { count: number }>(
  'count_active_sessions_of_client',
  `select count(*) as count from (
     select 1 from user_sessions s where ${LIVES} and s.client_id = $2
     union all
     select 1 from user_sessions s where ${LIVES} and s.login is not null and s.login_client = $2 and s.client_id <> $2
   ) those`,
);

const countMarkedOfTenant = statement<[now: Date, tenant: string], { count: number }>(
  'count_active_sessions_of_tenant',
  `select count(*) as count from user_sessions s where ${LIVES} and s.tenant = $2`,
);

const countMarkedByClient = statement<[], { client_id: string; count: number }>(
  'count_active_sessions_of_clients',
  // By the index alone. A session that expired unused is marked within a minute.
  `select client_id, count(*) as count from user_sessions where is_active group by client_id`,
);

const isOver = (cut: string, born: string = LOGIN_BORN): string =>
  `coalesce(${born} < ${cut}.base or (${born} < ${cut}.position and ${cut}.except_session is distinct from ${LOGIN_OF}), false)`;

const countBesideCuts = statement<
  [now: Date, first: number],
  { client_id: string; login_client: string | null; tenant: string; count: number }
>(
  'count_sessions_beside_cuts',
  `with late as materialized (
     select split_part(key, ':', 1) as kind, split_part(key, ':', 2) as who,
       substr(key, length(split_part(key, ':', 1)) + length(split_part(key, ':', 2)) + 3) as rest, position, base,
       except_session
     from cuts where position >= $2
   )
   select s.client_id, s.login_client, s.tenant, count(*) as count from user_sessions s
   left join (select * from late where kind = 'everyone') e on true
   left join (select * from late where kind = 'client') c on c.who = s.client_id
   left join (select *, who::bigint as user_id from late where kind = 'user') u on u.user_id = s.user_id
   left join (select *, who::bigint as user_id from late where kind = 'device') d
     on d.user_id = s.user_id and d.rest = s.device_id
   left join (select *, who::uuid as login from late where kind = 'login') l on l.login = ${LOGIN_OF}
   left join (select * from late where kind = 'tenant') t on t.who = s.tenant
   left join (select *, who::bigint as user_id from late where kind = 'grant') g
     on g.user_id = s.user_id and g.rest = s.client_id
   left join (select * from late where kind = 'client') lc on lc.who = s.login_client
   left join (select *, who::bigint as user_id from late where kind = 'grant') lg
     on lg.user_id = s.user_id and lg.rest = s.login_client
   where ${LIVES}
     and not ${isOver('e')} and not ${isOver('c', 's.born')} and not ${isOver('u')} and not ${isOver('d')}
     and not ${isOver('l')} and not ${isOver('t')} and not ${isOver('g', 's.born')} and not ${isOver('lc')} and not ${isOver('lg')}
   group by 1, 2, 3`,
);

/** The number of sessions alive, in all, of one tenant, or of one application with those begun through its logins, which end with it. */
export async function countLiveSessions(
  on: Queryable,
  now: Date,
  { clientId = null, tenant = null }: { clientId?: string | null; tenant?: string | null } = {},
): Promise<number> {
  const [unmarked] = await anyUnmarked.run(on, LOOKED_AT);
  const first = unmarked?.first ?? null;
  if (first !== null)
    return (await countBesideCuts.run(on, now, first))
      .filter((row) => clientId === null || row.client_id === clientId || row.login_client === clientId)
      .filter((row) => tenant === null || row.tenant === tenant)
      .reduce((sum, { count }) => sum + count, 0);
  const rows =
    clientId !== null
      ? await countMarkedOfClient.run(on, now, clientId)
      : tenant !== null
        ? await countMarkedOfTenant.run(on, now, tenant)
        : await countMarked.run(on, now);
  return rows[0]?.count ?? 0;
}

/** The number of sessions alive of each application that has any; sessions that expired within the last minute may be included. */
export async function countLiveByClient(on: Queryable, now: Date): Promise<Map<string, number>> {
  const [unmarked] = await anyUnmarked.run(on, LOOKED_AT);
  const first = unmarked?.first ?? null;
  const rows = first === null ? await countMarkedByClient.run(on) : await countBesideCuts.run(on, now, first);
  const counts = new Map<string, number>();
  for (const { client_id, count } of rows) counts.set(client_id, (counts.get(client_id) ?? 0) + count);
  return counts;
}
