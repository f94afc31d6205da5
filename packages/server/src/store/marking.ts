import { usersOf } from '../domain/event-ending.ts';
import { LOGIN_BORN, LOGIN_OF, OF_LOGIN } from './live-session.ts';
import { type CutTarget, keysOfTarget, namedBy } from './revoke-scope.ts';
import type { EndingEvent } from './log/log-event.ts';
import { type Queryable, type Statement, statement } from './statement.ts';

type MarkValues = [
  position: number,
  at: Date,
  actor: string,
  reason: string,
  exceptSession: string | null,
  who: unknown,
  device: string | null,
  limit: number,
  after: string,
  client: string | null,
  login: string | null,
];

/**
 * Whether a cut at a position ends sessions `s`: all of a target's, or those of one device, client or login. As the view judges them:
 * by their login's beginning, and those of a client by their own. What was begun through logins of the client ends with these.
 */
const isEnded = (position: string, device: string, client: string, login: string): string =>
  `(${device} is null or s.device_id = ${device}) and (${login} is null or ${LOGIN_OF} = ${login})
         and case when ${client} is null then ${LOGIN_BORN} < ${position}
           else s.client_id = ${client} and s.born < ${position} or s.login_client = ${client} and s.login_born < ${position} end`;

/*
 * Walks through the rows in the order of an index, each time from where it stopped: marked rows leave dead entries at the index's
 * beginning, which a restart would walk over.
 */
function markStatement(
  name: string,
  target: string,
  by: string,
): Statement<MarkValues, { last: string; marked: number }> {
  return statement(
    name,
    `with batch as (
       select s.id, ${by} as place from user_sessions s
       where ${target} and s.is_active and ${LOGIN_OF} is distinct from $5::uuid
         and ${isEnded('$1', '$7::text', '$10::text', '$11::uuid')} and ${by} > $9
       order by ${by} limit $8 for update skip locked
     ), marked as (
       update user_sessions s set is_active = false, ended_at = $2, ended_by = $3, ended_reason = $4,
         ended_position = $1
       from batch where s.id = batch.id returning batch.place
     )
     select place::text as last, (count(*) over ())::int as marked from marked order by place desc limit 1`,
  );
}

const NIL = '00000000-0000-0000-0000-000000000000';

const MARKS = {
  user: { statement: markStatement('mark_cut_user', 's.user_id = $6::bigint', 's.born'), first: '-1' },
  client: {
    statement: markStatement('mark_cut_client', 's.client_id = $6::text and s.born < $1', 's.born'),
    first: '-1',
  },
  throughClient: {
    statement: markStatement(
      'mark_cut_through_client',
      's.login_client = $6::text and s.login is not null',
      's.id',
    ),
    first: NIL,
  },
  tenant: { statement: markStatement('mark_cut_tenant', 's.tenant = $6::text', 's.id'), first: NIL },
  everyone: { statement: markStatement('mark_cut_everyone', '$6::text is null', 's.id'), first: NIL },
} as const;

/** A cut of one user, or of one device, client or login of a user. */
type UserCut = { userId: number; event: EndingEvent };

/*
 * The cuts of many users at once, some rows of each, because one by one a burst would take one statement and commit each. The
 * first cut that ends a session dates its end, also where that cut had too many rows to find this one.
 */
const markUsers = statement<
  [
    positions: number[],
    at: Date[],
    actors: string[],
    reasons: string[],
    exceptions: (string | null)[],
    userIds: number[],
    devices: (string | null)[],
    limit: number,
    clients: (string | null)[],
    logins: (string | null)[],
  ],
  { nth: number; found: number }
>(
  'mark_cuts_of_users',
  `with asked as (
     select * from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::bigint[], $7::text[],
       $9::text[], $10::uuid[])
       with ordinality as a (position, at, actor, reason, except_session, user_id, device_id, client_id, login, nth)
   ), batch as materialized (
     select a.nth, s.* from asked a cross join lateral (
       select s.id, s.user_id, s.device_id, s.client_id, s.login, s.born, s.login_born, s.login_client from user_sessions s
       where s.user_id = a.user_id and s.is_active and ${LOGIN_OF} is distinct from a.except_session
         and ${isEnded('a.position', 'a.device_id', 'a.client_id', 'a.login')}
       order by s.born limit $8 for update skip locked
     ) s
   ), marked as (
     update user_sessions s set is_active = false, ended_at = b.at, ended_by = b.actor, ended_reason = b.reason,
       ended_position = b.position
     from (
       select distinct on (s.id) s.id, a.position, a.at, a.actor, a.reason
       from batch s join asked a on a.user_id = s.user_id
         and ${LOGIN_OF} is distinct from a.except_session and ${isEnded('a.position', 'a.device_id', 'a.client_id', 'a.login')}
       order by s.id, a.position
     ) b where s.id = b.id
   )
   select nth::int as nth, count(*)::int as found from batch group by nth order by nth`,
);
const USERS_AT_ONCE = 200;
/** The rows of one user in that statement; a user with more is left to the general one. */
const OF_USER_AT_ONCE = 20;

/** Marks the rows that the cuts of these events have ended, a number at a time. Rows that another transaction holds are skipped. */
export async function markEnded(
  on: Queryable,
  events: readonly EndingEvent[],
  atATime: number,
): Promise<void> {
  let cuts: UserCut[] = [];
  for (const event of events) {
    if (event.scope === 'sessions') {
      await markOfLogins(on, event, atATime);
      continue;
    }
    if (event.scope === 'everyone' || event.scope === 'client' || event.scope === 'tenant') {
      await markUserCuts(on, cuts, atATime);
      cuts = [];
      const who = { everyone: null, client: event.client_id, tenant: event.tenant }[event.scope];
      await markAll(on, event, event.scope, who, atATime);
      if (event.scope === 'client') await markAll(on, event, 'throughClient', who, atATime);
    } else for (const userId of usersOf(event)) cuts.push({ userId, event });
  }
  await markUserCuts(on, cuts, atATime);
}

/** Those that were begun through logins that an ending names. The trigger has marked them, but for rows that were locked. */
async function markOfLogins(on: Queryable, event: EndingEvent, atATime: number): Promise<void> {
  const { position, at, actor, reason, logins } = event;
  const values = [position, at, actor, reason ?? 'logout', logins ?? [], atATime] as const;
  while ((await markLogins.run(on, ...values)).length === atATime);
}

const markLogins = statement<
  [position: number, at: Date, actor: string, reason: string, logins: string[], limit: number],
  { id: string }
>(
  'mark_sessions_of_logins',
  `update user_sessions s set is_active = false, ended_at = $2, ended_by = $3, ended_reason = $4, ended_position = $1
   where s.id in (
     select s.id from user_sessions s
     where s.login = any($5) and s.is_active and s.login_born < $1 limit $6 for update skip locked
   ) returning s.id`,
);

/** The client that a cut of a user is limited to. */
const clientOf = ({ scope, client_id }: EndingEvent): string | null => (scope === 'grant' ? client_id : null);

async function markUserCuts(on: Queryable, cuts: readonly UserCut[], atATime: number): Promise<void> {
  for (let i = 0; i < cuts.length; i += USERS_AT_ONCE) {
    const some = cuts.slice(i, i + USERS_AT_ONCE);
    const of = <T>(what: (event: EndingEvent) => T): T[] => some.map(({ event }) => what(event));
    const rows = await markUsers.run(
      on,
      of((event) => event.position),
      of((event) => event.at),
      of((event) => event.actor),
      of((event) => event.reason ?? 'logout'),
      of((event) => event.except_session),
      some.map(({ userId }) => userId),
      of((event) => event.device_id),
      OF_USER_AT_ONCE,
      of(clientOf),
      of((event) => event.login),
    );
    // By id, for the same reason.
    for (const { nth, found } of rows) {
      const cut = some[nth - 1];
      if (cut && found === OF_USER_AT_ONCE) await markAll(on, cut.event, 'user', cut.userId, atATime);
    }
  }
}

async function markAll(
  on: Queryable,
  event: EndingEvent,
  by: keyof typeof MARKS,
  who: unknown,
  atATime: number,
): Promise<void> {
  const { statement: mark, first } = MARKS[by];
  const { position, at, actor, reason, except_session, device_id, login } = event;
  let after: string = first;
  for (;;) {
    const [batch] = await mark.run(
      on,
      position,
      at,
      actor,
      reason ?? 'logout',
      except_session,
      who,
      device_id,
      atATime,
      after,
      clientOf(event),
      login,
    );
    if (!batch || batch.marked < atATime) return;
    after = batch.last;
  }
}

const unmarked = statement<
  [
    keys: string[],
    userIds: number[] | null,
    clientId: string | null,
    deviceId: string | null,
    login: string | null,
    tenant: string | null,
  ],
  { count: number }
>(
  'count_unmarked',
  `select count(*) as count from user_sessions s
   join (select max(c.position) as position from cuts c where c.key = any($1::text[])) cut on true
   where s.is_active and ${isEnded('cut.position', '$4::text', '$3::text', 'null::uuid')}
     and ($2::bigint[] is null or s.user_id = any($2)) and ($5::uuid is null or ${OF_LOGIN('$5::uuid')})
     and ($6::text is null or s.tenant = $6)`,
);

/** The number of rows that a cut has ended and that are not marked yet. For display only. */
export async function countUnmarked(on: Queryable, target: CutTarget): Promise<number> {
  const { user_id, user_ids, client_id, device_id, login, tenant } = namedBy(target);
  const userIds = user_ids ?? (user_id === null ? null : [user_id]);
  const keys = keysOfTarget(target);
  return (await unmarked.run(on, keys, userIds, client_id, device_id, login, tenant))[0]?.count ?? 0;
}
