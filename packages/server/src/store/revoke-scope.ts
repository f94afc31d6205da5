import {
  clientKey,
  deviceKey,
  EVERYONE_KEY,
  grantKey,
  loginKey,
  tenantKey,
  userKey,
} from '@curfew/protocol/cuts';
import { type EndReason, subjectOf } from '../domain/session.ts';
import { DatabaseError, hasCode } from './database.ts';
import { MOVED } from './epoch.ts';
import { type ActValues, actValues, APPEND, APPENDED, eventOf, MARK, type Revocation } from './revocation.ts';
import type { Act } from './act.ts';
import { AT_MARKER, IS_CUT, LOOKED_AT } from './live-count.ts';
import { IS_LOGIN, LOGIN_OF, OF_LOGIN, UNEXPIRED } from './live-session.ts';
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
  login: string | null,
  tenant: string | null,
  cutUser: number | null,
];

interface CutRow {
  position: number;
  cut_user: number | null;
  except_session: string | null;
  ids: string[];
  count: number;
  more: boolean;
}

/** An older node is registered, which would not follow this kind of cut. Nothing was ended. */
export class OlderNode extends Error {
  override name = 'OlderNode';
}

/** Of an event: it can be about the sessions of this cut. The usual one is about another user's, and is not. */
const CONCERNS = `(scope in ('everyone', 'client', 'tenant') or logins is not null or coalesce($12::bigint, $18::bigint) is null
           or coalesce($12::bigint, $18::bigint) in (user_id, cut_user) or coalesce($12::bigint, $18::bigint) = any(user_ids))`;

/** Whether another cut may have ended some of many candidates, whose rows the marker has not marked yet. If none has, the rows tell. */
const BESIDE_OTHERS = `select candidates <= ${MARKED_AT_ONCE} or (
  select count(*) = ${LOOKED_AT} or bool_or(${IS_CUT} and ${CONCERNS}) from (
    select * from events where ${AT_MARKER} order by xid limit ${LOOKED_AT}
  ) e
) as is_any from size`;

/*
 * The cut takes effect for any number of sessions: one row per key, one event. The merge on conflict is the protocol's mergeCuts.
 * Up to a hundred rows are marked in the same statement; a row that another transaction holds is skipped, because the cut has
 * ended it. Beyond a hundred they are only counted, those of users up to a bound; those of an application or of everyone are
 * counted beforehand (live-count.ts).
 *
 * A database that its nodes have not met yet may give positions below those of its sessions (logical replication does not copy
 * sequences): a cut would end nothing there, so none is made. After a restore on the same server, sessions of the lost time may
 * still have credentials: `next_cut()` begins above them. `cut_for_all_nodes()` does the same, unless an older node is registered.
 *
 * A session that was begun through a login is judged by the position of the login too, so one that is begun through a login that
 * this cut ends is over, whichever commits first. So the cut of a client's sessions also ends what was begun through them with other
 * clients (`login_client`). The cut of a login marks its row at once, whatever else is left to the marker:
 * then no further session is begun through it. A cut that spares a session spares its login and all that were begun through that.
 */
function cutStatement(
  name: string,
  targets: string | readonly string[],
  lookedAt: number,
  decided = `select next_cut() as position, $18::bigint as cut_user where not ${MOVED}`,
  login: string | null = null,
): Statement<CutValues, CutRow> {
  const candidatesOf = (target: string): string =>
    `(select s.id, ${UNEXPIRED} as is_unexpired from user_sessions s, decided, spared
       where ${target} and s.is_active and s.born < decided.position and ${LOGIN_OF} is distinct from spared.login
       limit ${lookedAt + 1})`;
  return statement(
    name,
    `with decided as materialized (${decided}),
     spared as materialized (
       select case when $10::uuid is not null then coalesce((select ${LOGIN_OF} from user_sessions s where s.id = $10), $10) end as login
     ),
     cut as (
       insert into cuts as c (key, position, base, except_session)
       select k.key, position, case when $10::uuid is null then position else 0 end, spared.login
       from decided, spared, unnest($9::text[]) as k (key) order by k.key
       on conflict (key) do update set
         position = greatest(c.position, excluded.position),
         except_session = case when excluded.position >= c.position then excluded.except_session else c.except_session end,
         base = greatest(c.base, excluded.base,
           case when c.except_session is distinct from excluded.except_session
             then least(c.position, excluded.position) else 0 end)
     ),
     candidates as materialized (
       ${[targets].flat().map(candidatesOf).join(' union all ')}
     ),
     size as materialized (
       select count(*) as candidates, count(*) filter (where is_unexpired) as unexpired from candidates
     ),
     beside as materialized (${BESIDE_OTHERS}),
     open as materialized (
       -- "offset 0" keeps the planner at one look by the index for each candidate.
       select s.id from candidates c, lateral (
         select s.id from open_sessions s
         where s.id = c.id and ${UNEXPIRED} offset 0
       ) s
     ),
     few as materialized (
       select id from open where (select candidates from size) <= ${MARKED_AT_ONCE}
     ),
     locked as (
       select s.id from user_sessions s
       where s.id in (select id from few) and s.is_active
       order by s.id for update skip locked
     ),
     marked as (
       -- One list: the planner would look at every active row for "in this list or a login".
       update user_sessions s ${MARK} where s.is_active and s.id in (
         select id from locked ${login === null ? '' : `union select s.id from user_sessions s where ${login}`}
       ) returning s.id
     ),
     event as (
       ${APPEND}, position, except_session, client_id, device_id, login, tenant, cut_user)
       select ${APPENDED}, $11, $12::bigint, $13::bigint[], (select array_agg(id) from marked), position, (select login from spared), $14, $15,
         $16::uuid, $17, cut_user
       from decided
     )
     select position, cut_user, (select login from spared) as except_session, coalesce((select array_agg(id) from marked), '{}') as ids,
       least(case when (select is_any from beside) then (select count(*) from open) else (select unexpired from size) end, ${lookedAt}) as count,
       (select candidates from size) > ${MARKED_AT_ONCE}
       or (select count(*) from marked) < (select count(*) from few) as more
     from decided`,
    'ending',
  );
}

const FOR_ALL_NODES = `select cut_for_all_nodes() as position, $18::bigint as cut_user where not ${MOVED}`;

const CUTS = {
  user: cutStatement('cut_user', 's.user_id = $12', COUNTED_AT_ONCE),
  others: cutStatement('cut_others', 's.user_id = $12', COUNTED_AT_ONCE),
  device: cutStatement('cut_device', 's.user_id = $12 and s.device_id = $15', COUNTED_AT_ONCE),
  users: cutStatement('cut_users', 's.user_id = any($13)', COUNTED_AT_ONCE),
  // By an index each: as one condition, all of the client's sessions would be looked up.
  client: cutStatement(
    'cut_client',
    ['s.client_id = $14', 's.login_client = $14 and s.login is not null and s.client_id <> $14'],
    MARKED_AT_ONCE,
  ),
  everyone: cutStatement('cut_everyone', 'true', MARKED_AT_ONCE),
  // No index leads to the sessions of a tenant: all of its rows are left to the marker.
  tenant: cutStatement('cut_tenant', 'false', 0, FOR_ALL_NODES),
  grant: cutStatement(
    'cut_grant',
    's.user_id = $18 and (s.client_id = $14 or s.login_client = $14)',
    COUNTED_AT_ONCE,
    FOR_ALL_NODES,
  ),
  login: cutStatement(
    'cut_login',
    `s.user_id = decided.cut_user and ${LOGIN_OF} = $16`,
    COUNTED_AT_ONCE,
    `select cut_for_all_nodes() as position, coalesce($18::bigint, login.user_id) as cut_user from (
       select s.user_id from user_sessions s where ${OF_LOGIN('$16::uuid')} and ${IS_LOGIN}
       order by s.is_active desc, s.born desc limit 1 for no key update
     ) login where not ${MOVED}`,
    `s.user_id = (select cut_user from decided) and ${LOGIN_OF} = $16 and ${IS_LOGIN} and s.born < (select position from decided)`,
  ),
} as const;

/** The target of a cut. `others`, a change of a user, and `grant` may spare one session: the caller's. */
export type CutTarget =
  | { scope: 'user'; userId: number }
  | { scope: 'others'; userId: number; exceptSession: string }
  | { scope: 'device'; userId: number; deviceId: string }
  | { scope: 'users'; userIds: number[] }
  | { scope: 'client'; clientId: string }
  | { scope: 'grant'; userId: number; clientId: string; exceptSession?: string }
  /** A login, and the sessions that were begun through it. */
  | { scope: 'login'; login: string }
  | { scope: 'tenant'; tenant: string }
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
    case 'grant':
      return [grantKey(subjectOf(target.userId), target.clientId)];
    case 'login':
      return [loginKey(target.login)];
    case 'tenant':
      return [tenantKey(target.tenant)];
    case 'everyone':
      return [EVERYONE_KEY];
  }
}

/** The columns of an event that name a target; the others are null. */
export function namedBy(target: CutTarget) {
  const userId = 'userId' in target ? target.userId : null;
  return {
    user_id: userId,
    user_ids: target.scope === 'users' ? target.userIds : null,
    client_id: 'clientId' in target ? target.clientId : null,
    device_id: target.scope === 'device' ? target.deviceId : null,
    except_session: 'exceptSession' in target ? target.exceptSession : null,
    login: target.scope === 'login' ? target.login : null,
    tenant: target.scope === 'tenant' ? target.tenant : null,
  };
}

/**
 * Ends a scope by a cut and appends its event, in one statement. O(1), however many sessions it ends.
 * @throws OlderNode
 */
export async function cut(
  on: Queryable,
  target: CutTarget,
  act: Act,
  reason: EndReason,
): Promise<Revocation> {
  const { scope } = target;
  const names = namedBy(target);
  // An older node must not find the user in user_id; see schema.sql.
  const isGrant = scope === 'grant';
  const asked = CUTS[scope].run(
    on,
    ...actValues(act, reason),
    keysOfTarget(target),
    names.except_session,
    scope,
    isGrant ? null : names.user_id,
    names.user_ids,
    names.client_id,
    names.device_id,
    names.login,
    names.tenant,
    isGrant ? names.user_id : null,
  );
  const [row] = await asked.catch((error: unknown) => {
    if (hasCode(error, 'CF001')) throw new OlderNode('a node of an older version is running');
    throw error;
  });
  if (!row) throw new DatabaseError('the database went back in time: its positions cannot be trusted yet');
  return {
    event: eventOf(act, {
      scope,
      reason,
      position: row.position,
      ...names,
      except_session: row.except_session,
      user_id: names.user_id ?? row.cut_user,
    }),
    ended: row.ids,
    count: row.count,
    more: row.more,
  };
}
