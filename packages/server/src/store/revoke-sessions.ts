import type { EndReason } from '../domain/session.ts';
import {
  type ActValues,
  actValues,
  APPEND,
  APPENDED,
  detailsOf,
  eventOf,
  MARK,
  type Revocation,
} from './revocation.ts';
import type { Act } from './act.ts';
import { LOGIN_OF } from './live-session.ts';
import { type Queryable, type Statement, statement } from './statement.ts';

interface RevokedRow {
  position: number;
  id: string;
  user_id: number;
  logins: string[] | null;
}

/*
 * The logins, of rows `s`, that others were begun through: an ending that names such a login ends them too, by a cut, but for a
 * renewal. `has_children` is read under the lock of the row, as an insert writes it (insert-session.ts). The rows of the others are
 * marked by a trigger (schema.sql). An ordinary session costs nothing.
 */
const endedLogin = (reason: string): string =>
  `case when s.has_children and ${reason} <> 'renewed' then ${LOGIN_OF} end`;

function revokeNamed(
  name: string,
  target: string,
): Statement<[...ActValues, unknown, userId: number | null, clientId: string | null], RevokedRow> {
  return statement(
    name,
    // idle_expires_at lags behind activity that is not written yet (see saveActivity): a session that memory knows to be in use
    // must not be skipped because of it. Locked by id, so that two lists in different orders do not deadlock.
    `with locked as (
       select s.id from open_sessions s
       where ${target} and ($10::bigint is null or s.user_id = $10) and ($11::text is null or s.client_id = $11)
         and s.expires_at > $1
       order by s.id for no key update of s
     ), decided as materialized (
       select nextval('positions') as position where exists (select from locked)
     ), ended as (
       update user_sessions s ${MARK} from locked where s.id = locked.id
       returning s.id, s.user_id, ${endedLogin('$2')} as login
     ), event as (
       ${APPEND}, position, logins)
       select ${APPENDED}, 'sessions', case when count(distinct user_id) = 1 then min(user_id) end,
         array_agg(distinct user_id), array_agg(id), (select position from decided), array_agg(login) filter (where login is not null)
       from ended having count(*) > 0
       returning position, logins
     )
     select event.position, event.logins, ended.id, ended.user_id from ended, event`,
    'ending',
  );
}

const revokeById = revokeNamed('end_sessions_by_id', 's.id = any($9::uuid[])');
const revokeOnDevice = revokeNamed('end_sessions_on_device', 's.device_id = $9');

/** A session to end, if it is the user's. */
export interface SessionToRevoke {
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
const revokeEach = (
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
  { nth: number; id: string; login: string | null } & { position: number | null }
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
     select o.*, ${endedLogin('o.reason')} as login from open o join user_sessions s on s.id = o.id
     where s.is_active
     order by s.id for no key update of s ${locked}
   ), decided as materialized (
     select l.*, nextval('positions') as position from locked l
   ), ended as (
     update user_sessions s set is_active = false, ended_at = d.at, ended_by = d.actor, ended_reason = d.reason,
       ended_position = d.position
     from decided d where s.id = d.id
     returning d.*
   ), event as (
     insert into events (position, at, type, reason, actor, contract, ip_address, user_agent, request_id, details, scope,
       user_id, user_ids, session_ids, logins)
     select position, at, 'sessions_ended', reason, actor, contract, ip_address, user_agent, request_id, details, 'sessions',
       user_id, array[user_id], array[id], case when login is not null then array[login] end
     from ended
   )
   select nth, position, id, login from ended
   union all
   select nth, null, id, null from open where nth not in (select nth from locked)`,
    'ending',
  );
const revokeEachFree = revokeEach('end_each_free_session', 'skip locked');
const revokeEachWaiting = revokeEach('end_each_session', '');

/**
 * Ends many single sessions. Null for each that is unknown, over, or another user's.
 * @param locked what happens to rows that another transaction holds: waited for, or left alone and answered as `held`
 */
export async function revokeEachSession(
  on: Queryable,
  asked: readonly SessionToRevoke[],
  locked: 'wait' | 'leave',
): Promise<(Revocation | 'held' | null)[]> {
  const rows = await (locked === 'wait' ? revokeEachWaiting : revokeEachFree).run(
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
    return revocationOf(
      [
        {
          position: row.position,
          id: row.id,
          user_id: userId,
          logins: row.login === null ? null : [row.login],
        },
      ],
      act,
      reason,
    );
  });
}

function revocationOf(rows: RevokedRow[], act: Act, reason: EndReason): Revocation | null {
  const [first] = rows;
  if (!first) return null;
  const users = [...new Set(rows.map((row) => row.user_id))];
  return {
    event: eventOf(act, {
      scope: 'sessions',
      reason,
      position: first.position,
      user_id: users.length === 1 ? first.user_id : null,
      user_ids: users,
      session_ids: rows.map((row) => row.id),
      logins: first.logins,
    }),
    ended: rows.map((row) => row.id),
    count: rows.length,
    // Those that were begun through a login are not counted.
    more: first.logins !== null,
  };
}

/** The owner of the sessions that may be ended; without one, any. */
export interface Within {
  userId?: number | null;
  clientId?: string | null;
}

/**
 * Ends the named sessions, of one user or client where one is given, and appends the event, in one statement. Skips those that are
 * over or another's; null when none is left, and then nothing is written.
 */
export async function revokeSessions(
  on: Queryable,
  sids: readonly string[],
  { userId = null, clientId = null }: Within,
  act: Act,
  reason: EndReason,
): Promise<Revocation | null> {
  const rows = await revokeById.run(on, ...actValues(act, reason), sids, userId, clientId);
  return revocationOf(rows, act, reason);
}

/** Ends the sessions of a user with a client on a device. See revokeSessions. */
export async function revokeDeviceSessions(
  on: Queryable,
  deviceId: string,
  { userId, clientId }: { userId: number; clientId: string },
  act: Act,
  reason: EndReason,
): Promise<Revocation | null> {
  return revocationOf(
    await revokeOnDevice.run(on, ...actValues(act, reason), deviceId, userId, clientId),
    act,
    reason,
  );
}
