import { clientKey, deviceKey, EVERYONE_KEY, userKey } from '@curfew/protocol/cuts';
import { usersOf } from '../domain/ending.ts';
import type { EndReason } from '../domain/session.ts';
import { DatabaseError } from './database.ts';
import { MOVED } from './epoch.ts';
import type { EndingEvent, EndScope } from './log/event.ts';
import { type Act, UNEXPIRED } from './sessions.ts';
import { type Queryable, type Statement, statement } from './statement.ts';

/** The most rows that the ending statement marks; beyond, the cut has ended them already. */
export const MARKED_AT_ONCE = 100;

/** The most rows that it counts, for users. */
const COUNTED_AT_ONCE = 10_000;

/** The result of an ending: its event for the readers in this process, and the sessions ended. */
export interface Ending {
  event: EndingEvent;
  /** The sessions whose rows were marked at once. */
  ended: string[];
  /** The number of sessions ended, marked or not; when `more` is true, at least this many. */
  count: number;
  /** True when rows of ended sessions are still to be marked in the background. */
  more: boolean;
}

type ActValues = [
  at: Date,
  reason: string,
  actor: string,
  contract: string,
  ipAddress: string | null,
  userAgent: string,
  requestId: string | null,
  details: string | null,
];

function actValues(act: Act, reason: EndReason): ActValues {
  return [
    act.at,
    reason,
    act.actor,
    act.contract,
    act.ipAddress,
    act.userAgent,
    act.requestId,
    detailsOf(act),
  ];
}

const detailsOf = ({ note }: Act): string | null => (note === undefined ? null : JSON.stringify({ note }));

const MARK = `set is_active = false, ended_at = $1, ended_by = $3, ended_reason = $2`;
const APPEND = `insert into events (at, type, reason, actor, contract, ip_address, user_agent, request_id, details, scope,
  user_id, user_ids, session_ids`;
const APPENDED = `$1, 'sessions_ended', $2, $3, $4, $5, $6, $7, $8::jsonb`;

interface EndedRow {
  position: number;
  id: string;
  user_id: number;
}

function endNamed(
  name: string,
  target: string,
): Statement<[...ActValues, unknown, userId: number | null], EndedRow> {
  return statement(
    name,
    // idle_expires_at lags behind activity that is not written yet (see saveActivity): a session that memory knows to be in use
    // must not be skipped because of it. Locked by id, so that two lists in different orders do not deadlock.
    `with locked as (
       select s.id from open_sessions s
       where ${target} and ($10::bigint is null or s.user_id = $10) and s.expires_at > $1
       order by s.id for no key update of s
     ), ended as (
       update user_sessions s ${MARK} from locked where s.id = locked.id returning s.id, s.user_id
     ), event as (
       ${APPEND})
       select ${APPENDED}, 'sessions', case when count(distinct user_id) = 1 then min(user_id) end,
         array_agg(distinct user_id), array_agg(id)
       from ended having count(*) > 0
       returning position
     )
     select event.position, ended.id, ended.user_id from ended, event`,
    'ending',
  );
}

const endById = endNamed('end_sessions_by_id', 's.id = any($9::uuid[])');

/** A session to end, if it is the user's. */
export interface OneEnding {
  sid: string;
  userId: number;
  act: Act;
  reason: EndReason;
}

/*
 * Logouts of single sessions that arrive together share a statement and a commit; each has its own event. A session named twice
 * is ended once. Each credential was just found alive, so idle_expires_at, which is written late, is ignored. The input is
 * carried along: joining it again by number would compare each with each.
 */
const endEach = (
  name: string,
  locked: '' | 'skip locked',
): Statement<
  [
    sids: string[],
    userIds: number[],
    at: Date[],
    reasons: string[],
    actors: string[],
    contracts: string[],
    ipAddresses: (string | null)[],
    userAgents: string[],
    requestIds: (string | null)[],
    details: (string | null)[],
  ],
  { nth: number; id: string } & { position: number | null }
> =>
  statement(
    name,
    `with asked as materialized (
     select * from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[],
       $8::text[], $9::text[], $10::jsonb[]) with ordinality
       as a (id, user_id, at, reason, actor, contract, ip_address, user_agent, request_id, details, nth)
   ), open as materialized (
     select a.* from asked a join open_sessions s on s.id = a.id
     where s.user_id = a.user_id and s.expires_at > a.at
   ), locked as materialized (
     -- By id, as everybody locks them, so that nobody waits in a circle.
     select o.* from open o join user_sessions s on s.id = o.id
     where s.is_active
     order by s.id for no key update of s ${locked}
   ), ended as (
     update user_sessions s set is_active = false, ended_at = l.at, ended_by = l.actor, ended_reason = l.reason
     from locked l where s.id = l.id
     returning l.*, nextval('positions') as position
   ), event as (
     insert into events (position, at, type, reason, actor, contract, ip_address, user_agent, request_id, details, scope,
       user_id, user_ids, session_ids)
     select position, at, 'sessions_ended', reason, actor, contract, ip_address, user_agent, request_id, details, 'sessions',
       user_id, array[user_id], array[id]
     from ended
   )
   select nth, position, id from ended
   union all
   select nth, null, id from open where nth not in (select nth from locked)`,
    'ending',
  );
const endEachFree = endEach('end_each_free_session', 'skip locked');
const endEachWaiting = endEach('end_each_session', '');

/**
 * Ends many single sessions. Null for each that is unknown, over, or another user's.
 * @param locked what happens to rows that another transaction holds: waited for, or left alone and answered as `held`
 */
export async function endEachSession(
  on: Queryable,
  asked: readonly OneEnding[],
  locked: 'wait' | 'leave',
): Promise<(Ending | 'held' | null)[]> {
  const rows = await (locked === 'wait' ? endEachWaiting : endEachFree).run(
    on,
    asked.map((one) => one.sid),
    asked.map((one) => one.userId),
    asked.map((one) => one.act.at),
    asked.map((one) => one.reason),
    asked.map((one) => one.act.actor),
    asked.map((one) => one.act.contract),
    asked.map((one) => one.act.ipAddress),
    asked.map((one) => one.act.userAgent),
    asked.map((one) => one.act.requestId),
    asked.map((one) => detailsOf(one.act)),
  );
  const byOrder = new Map(rows.map((row) => [row.nth, row]));
  return asked.map(({ userId, act, reason }, i) => {
    const row = byOrder.get(i + 1);
    if (!row) return null;
    // Another transaction has ended it meanwhile.
    if (row.position === null) return locked === 'leave' ? 'held' : null;
    return namedEnding([{ position: row.position, id: row.id, user_id: userId }], act, reason);
  });
}

function namedEnding(rows: EndedRow[], act: Act, reason: EndReason): Ending | null {
  const [first] = rows;
  if (!first) return null;
  const users = [...new Set(rows.map((row) => row.user_id))];
  return {
    event: eventOf(act, reason, 'sessions', {
      position: first.position,
      user_id: users.length === 1 ? first.user_id : null,
      user_ids: users,
      session_ids: rows.map((row) => row.id),
    }),
    ended: rows.map((row) => row.id),
    count: rows.length,
    more: false,
  };
}

/**
 * Ends the named sessions, of one user where one is given, and appends the event, in one statement. Skips those that are over or
 * another user's; null when none is left, and then nothing is written.
 */
export async function endSessions(
  on: Queryable,
  sids: readonly string[],
  userId: number | null,
  act: Act,
  reason: EndReason,
): Promise<Ending | null> {
  return namedEnding(await endById.run(on, ...actValues(act, reason), sids, userId), act, reason);
}

type CutValues = [
  ...ActValues,
  keys: string[],
  exceptSession: string | null,
  scope: string,
  userId: number | null,
  userIds: number[] | null,
  clientId: string | null,
  deviceId: string | null,
];

/*
 * The cut takes effect for any number of sessions: one row per key, one event. The merge on conflict is the protocol's mergeCuts.
 * Up to a hundred rows are marked in the same statement; a row that another transaction holds is skipped, because the cut has
 * ended it. Beyond a hundred they are only counted, those of users up to a bound; those of an application or of everyone are
 * counted beforehand (live-count.ts).
 *
 * A database that its nodes have not met yet may give positions below those of its sessions (logical replication does not copy
 * sequences): a cut would end nothing there, so none is made. After a restore on the same server, sessions of the lost time may
 * still have credentials: `next_cut()` begins above them.
 */
function cutStatement(
  name: string,
  target: string,
  lookedAt: number,
): Statement<CutValues, { position: number; ids: string[]; count: number; more: boolean }> {
  return statement(
    name,
    `with decided as materialized (select next_cut() as position where not ${MOVED}),
     cut as (
       insert into cuts as c (key, position, base, except_session)
       select k.key, position, case when $10::uuid is null then position else 0 end, $10::uuid
       from decided, unnest($9::text[]) as k (key) order by k.key
       on conflict (key) do update set
         position = greatest(c.position, excluded.position),
         except_session = case when excluded.position >= c.position then excluded.except_session else c.except_session end,
         base = greatest(c.base, excluded.base,
           case when c.except_session is distinct from excluded.except_session
             then least(c.position, excluded.position) else 0 end)
     ),
     candidates as materialized (
       select s.id from user_sessions s, decided
       where ${target} and s.is_active and s.born < decided.position and s.id is distinct from $10::uuid
       limit ${lookedAt + 1}
     ),
     open as materialized (
       -- "offset 0" keeps the planner at one look by the index for each candidate.
       select s.id from candidates c, lateral (
         select s.id from open_sessions s
         where s.id = c.id and ${UNEXPIRED} offset 0
       ) s
     ),
     few as materialized (
       select id from open where (select count(*) from candidates) <= ${MARKED_AT_ONCE}
     ),
     locked as (
       select s.id from user_sessions s
       where s.id in (select id from few) and s.is_active
       order by s.id for update skip locked
     ),
     marked as (
       update user_sessions s ${MARK} where s.id in (select id from locked) returning s.id
     ),
     event as (
       ${APPEND}, position, except_session, client_id, device_id)
       select ${APPENDED}, $11, $12::bigint, $13::bigint[], (select array_agg(id) from marked), position, $10::uuid, $14, $15
       from decided
     )
     select position, coalesce((select array_agg(id) from marked), '{}') as ids,
       least((select count(*) from open), ${lookedAt}) as count, (select count(*) from candidates) > ${MARKED_AT_ONCE}
       or (select count(*) from marked) < (select count(*) from few) as more
     from decided`,
    'ending',
  );
}

const CUTS = {
  user: cutStatement('cut_user', 's.user_id = $12', COUNTED_AT_ONCE),
  others: cutStatement('cut_others', 's.user_id = $12', COUNTED_AT_ONCE),
  device: cutStatement('cut_device', 's.user_id = $12 and s.device_id = $15', COUNTED_AT_ONCE),
  users: cutStatement('cut_users', 's.user_id = any($13)', COUNTED_AT_ONCE),
  client: cutStatement('cut_client', 's.client_id = $14', MARKED_AT_ONCE),
  everyone: cutStatement('cut_everyone', 'true', MARKED_AT_ONCE),
} as const;

/** The target of a cut. `others` and a change of a user spare one session: the caller's. */
export type CutTarget =
  | { scope: 'user'; userId: number }
  | { scope: 'others'; userId: number; exceptSession: string }
  | { scope: 'device'; userId: number; deviceId: string }
  | { scope: 'users'; userIds: number[] }
  | { scope: 'client'; clientId: string }
  | { scope: 'everyone' };

/** The keys of a target's cuts. */
export function keysOfTarget(target: CutTarget): string[] {
  switch (target.scope) {
    case 'user':
    case 'others':
      return [userKey(target.userId)];
    case 'device':
      return [deviceKey(target.userId, target.deviceId)];
    case 'users':
      return target.userIds.map(userKey);
    case 'client':
      return [clientKey(target.clientId)];
    case 'everyone':
      return [EVERYONE_KEY];
  }
}

/** Ends a scope by a cut and appends its event, in one statement. O(1), however many sessions it ends. */
export async function cut(on: Queryable, target: CutTarget, act: Act, reason: EndReason): Promise<Ending> {
  const exceptSession = target.scope === 'others' ? target.exceptSession : null;
  const userId = 'userId' in target ? target.userId : null;
  const userIds = target.scope === 'users' ? target.userIds : null;
  const clientId = target.scope === 'client' ? target.clientId : null;
  const deviceId = target.scope === 'device' ? target.deviceId : null;
  const [row] = await CUTS[target.scope].run(
    on,
    ...actValues(act, reason),
    keysOfTarget(target),
    exceptSession,
    target.scope,
    userId,
    userIds,
    clientId,
    deviceId,
  );
  if (!row) throw new DatabaseError('the database has gone back: its positions are not to be trusted yet');
  return {
    event: eventOf(act, reason, target.scope, {
      position: row.position,
      user_id: userId,
      user_ids: userIds,
      client_id: clientId,
      device_id: deviceId,
      except_session: exceptSession,
    }),
    ended: row.ids,
    count: row.count,
    more: row.more,
  };
}

function eventOf(
  act: Act,
  reason: EndReason,
  scope: EndScope,
  facts: Pick<EndingEvent, 'position'> & Partial<EndingEvent>,
): EndingEvent {
  return {
    at: act.at,
    type: 'sessions_ended',
    scope,
    reason,
    user_id: null,
    user_ids: null,
    session_ids: null,
    client_id: null,
    device_id: null,
    except_session: null,
    actor: act.actor,
    ...facts,
  };
}

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
];

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
       where ${target} and s.is_active and s.born < $1 and s.id is distinct from $5::uuid
         and ($7::text is null or s.device_id = $7) and ${by} > $9
       order by ${by} limit $8 for update skip locked
     ), marked as (
       update user_sessions s set is_active = false, ended_at = $2, ended_by = $3, ended_reason = $4
       from batch where s.id = batch.id returning batch.place
     )
     select place::text as last, (count(*) over ())::int as marked from marked order by place desc limit 1`,
  );
}

const MARKS = {
  user: { statement: markStatement('mark_cut_user', 's.user_id = $6::bigint', 's.born'), first: '-1' },
  client: { statement: markStatement('mark_cut_client', 's.client_id = $6::text', 's.born'), first: '-1' },
  everyone: {
    statement: markStatement('mark_cut_everyone', '$6::text is null', 's.id'),
    first: '00000000-0000-0000-0000-000000000000',
  },
} as const;

/** A cut of one user, or of one device of a user. */
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
  ],
  { nth: number; found: number }
>(
  'mark_cuts_of_users',
  `with asked as (
     select * from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::bigint[], $7::text[])
       with ordinality as a (position, at, actor, reason, except_session, user_id, device_id, nth)
   ), batch as materialized (
     select a.nth, s.* from asked a cross join lateral (
       select s.id, s.user_id, s.device_id, s.born from user_sessions s
       where s.user_id = a.user_id and s.is_active and s.born < a.position and s.id is distinct from a.except_session
         and (a.device_id is null or s.device_id = a.device_id)
       order by s.born limit $8 for update skip locked
     ) s
   ), marked as (
     update user_sessions s set is_active = false, ended_at = b.at, ended_by = b.actor, ended_reason = b.reason
     from (
       select distinct on (b.id) b.id, a.at, a.actor, a.reason
       from batch b join asked a on a.user_id = b.user_id and b.born < a.position
         and b.id is distinct from a.except_session and (a.device_id is null or b.device_id = a.device_id)
       order by b.id, a.position
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
    if (event.scope === 'everyone' || event.scope === 'client') {
      await markUserCuts(on, cuts, atATime);
      cuts = [];
      await markAll(on, event, event.scope, event.scope === 'client' ? event.client_id : null, atATime);
    } else for (const userId of usersOf(event)) cuts.push({ userId, event });
  }
  await markUserCuts(on, cuts, atATime);
}

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
  const { position, at, actor, reason, except_session, device_id } = event;
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
    );
    if (!batch || batch.marked < atATime) return;
    after = batch.last;
  }
}
