import type { EndReason } from '../domain/session.ts';
import { ALIVE, LOGIN_OF, loginOfSid, OF_LOGIN } from './live-session.ts';
import { type Queryable, statement, statementWithFilters } from './statement.ts';

/** A session as shown in "my devices" and the administration. */
export interface SessionSummary {
  id: string;
  user_id: number;
  email: string;
  client_id: string;
  device_id: string;
  device_name: string;
  contract: string;
  user_agent: string;
  ip_address: string | null;
  created_at: Date;
  last_seen_at: Date;
  expires_at: Date;
  idle_seconds: number;
  open: boolean;
  ended_at: Date | null;
  ended_by: string | null;
  ended_reason: EndReason | null;
}

const SUMMARY = `s.id, s.user_id, u.email, s.client_id, s.device_id, s.device_name, s.contract, s.user_agent, s.ip_address,
  s.created_at, s.last_seen_at, s.expires_at, s.idle_seconds, s.ended_at, s.ended_by, s.ended_reason`;

const sessionsOfUser = statementWithFilters<SessionSummary>(
  'sessions_of_user',
  3,
  (conditions) => `select ${SUMMARY}, true as open from open_sessions s join users u on u.id = s.user_id
   where s.user_id = $2 and ${ALIVE} ${conditions} order by s.born desc limit $3`,
  [
    's.born < (select b.born from user_sessions b where b.id = $?::uuid and b.user_id = $2)',
    's.id <> $?::uuid',
    's.client_id = $?',
  ],
);

/** The user's live sessions, newest first, from the one after `before`, without one of them, with a client or any. */
export function listSessionsOfUser(
  on: Queryable,
  now: Date,
  userId: number,
  { before, except, clientId }: { before: string | null; except: string | null; clientId: string | null },
  limit: number,
): Promise<SessionSummary[]> {
  return sessionsOfUser.run(on, [now, userId, limit], [before, except, clientId]);
}

const countOfUser = statement<
  [now: Date, userId: number, most: number, clientId: string | null],
  { count: number }
>(
  'count_sessions_of_user',
  `select count(*) as count from (
     select 1 from open_sessions s join users u on u.id = s.user_id where s.user_id = $2
       and ($4::text is null or s.client_id = $4) and ${ALIVE} limit $3
   ) those`,
);

/** The number of the user's live sessions, up to a bound. */
export async function countSessionsOfUser(
  on: Queryable,
  now: Date,
  userId: number,
  clientId: string | null,
  most: number,
): Promise<number> {
  return (await countOfUser.run(on, now, userId, most, clientId))[0]?.count ?? 0;
}

/** A filter of sessions; null members match everything. */
export interface SessionFilter {
  userId?: number | null;
  clientId?: string | null;
  /** Those before this session. */
  before?: string | null;
  /** Those alive, or those that are not. */
  alive?: boolean | null;
  userIds?: readonly number[] | null;
  sids?: readonly string[] | null;
  deviceId?: string | null;
  except?: string | null;
  /** Sessions begun through this login, and the login. */
  login?: string | null;
  tenant?: string | null;
  /** What a cut of this client ends: its sessions, and those that were begun through its logins. */
  endedWithClient?: string | null;
}

const WHICH = ['s.user_id = $?', 's.client_id = $?', 's.id < $?::uuid'];
const WHICH_NAMED = [
  's.user_id = any($?::bigint[])',
  's.id = any($?::uuid[])',
  's.device_id = $?',
  `${LOGIN_OF} is distinct from ${loginOfSid('$?::uuid')}`,
  OF_LOGIN('$?::uuid'),
  's.tenant = $?',
  '(s.client_id = $? or s.login_client = $?)',
];
const which = ({ userId = null, clientId = null, before = null }: SessionFilter) => [
  userId,
  clientId,
  before,
];
const whichNamed = ({
  userIds = null,
  sids = null,
  deviceId = null,
  except = null,
  login = null,
  tenant = null,
  endedWithClient = null,
}: SessionFilter) => [userIds, sids, deviceId, except, login, tenant, endedWithClient];

const sessionPage = statementWithFilters<SessionSummary>(
  'session_page',
  2,
  (conditions) => `select ${SUMMARY}, (o.id is not null and ${ALIVE}) as open
   from user_sessions s join users u on u.id = s.user_id left join open_sessions o on o.id = s.id
   where true ${conditions} order by s.id desc limit $2`,
  [...WHICH, ...WHICH_NAMED, `(o.id is not null and ${ALIVE}) = $?::boolean`],
);

const sessionCount = statementWithFilters<{ count: number }>(
  'session_count',
  1,
  (conditions) => `select count(*) as count from open_sessions s join users u on u.id = s.user_id
   where ${ALIVE} ${conditions}`,
  [...WHICH, ...WHICH_NAMED],
);

/** Sessions for the administration, newest first. */
export function pageOfSessions(
  on: Queryable,
  now: Date,
  filter: SessionFilter,
  limit: number,
): Promise<SessionSummary[]> {
  const filters = [...which(filter), ...whichNamed(filter), filter.alive ?? null];
  return sessionPage.run(on, [now, limit], filters);
}

/** The number of live sessions that match a filter. It looks at seven cuts for each, so not for everyone's. */
export async function countSessions(on: Queryable, now: Date, filter: SessionFilter): Promise<number> {
  const [row] = await sessionCount.run(on, [now], [...which(filter), ...whichNamed(filter)]);
  return row?.count ?? 0;
}

const rename = statement<
  [now: Date, sid: string, userId: number, name: string, clientId: string | null],
  { id: string }
>(
  'name_device',
  // Rows are locked by id, as in revoke-sessions.ts.
  `with named as (
     select s.device_id from open_sessions s join users u on u.id = s.user_id
     where s.id = $2 and s.user_id = $3 and ($5::text is null or s.client_id = $5) and ${ALIVE}
   ), locked as (
     select s.id from user_sessions s
     where s.user_id = $3 and s.device_id in (select device_id from named) and s.is_active
       and ($5::text is null or s.client_id = $5)
     order by s.id for no key update of s
   )
   update user_sessions s set device_name = $4 from locked where s.id = locked.id returning s.id`,
);

/** Names the device of a user's live session, in all of the user's sessions on it, with a client or any. False when there is no such session. */
export async function nameDevice(
  on: Queryable,
  now: Date,
  sid: string,
  { userId, clientId }: { userId: number; clientId: string | null },
  name: string,
): Promise<boolean> {
  return (await rename.run(on, now, sid, userId, name, clientId)).length > 0;
}
