import { clientKey, deviceKey, EVERYONE_KEY, userKey } from '@curfew/protocol/cuts';
import { type EndReason, subjectOf } from '../domain/session.ts';
import { DatabaseError } from './database.ts';
import { MOVED } from './epoch.ts';
import { type ActValues, actValues, APPEND, APPENDED, eventOf, MARK, type Revocation } from './revocation.ts';
import type { Act } from './act.ts';
import { UNEXPIRED } from './live-session.ts';
import { type Queryable, type Statement, statement } from './statement.ts';

/** The most rows that the ending statement marks; beyond, the cut has ended them already. */
export const MARKED_AT_ONCE = 100;

/** The most rows that it counts, for users. */
const COUNTED_AT_ONCE = 10_000;

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
      return [userKey(subjectOf(target.userId))];
    case 'device':
      return [deviceKey(subjectOf(target.userId), target.deviceId)];
    case 'users':
      return target.userIds.map((userId) => userKey(subjectOf(userId)));
    case 'client':
      return [clientKey(target.clientId)];
    case 'everyone':
      return [EVERYONE_KEY];
  }
}

/** Ends a scope by a cut and appends its event, in one statement. O(1), however many sessions it ends. */
export async function cut(
  on: Queryable,
  target: CutTarget,
  act: Act,
  reason: EndReason,
): Promise<Revocation> {
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
  if (!row) throw new DatabaseError('the database went back in time: its positions cannot be trusted yet');
  return {
    event: eventOf(act, {
      scope: target.scope,
      reason,
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
