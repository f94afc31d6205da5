import type { EndReason, Grant, LiveSession, Role, UserFacts } from '../domain/session.ts';
import type { TokenKind } from '../domain/tokens.ts';
import { type Queryable, statement, statementWithFilters } from './statement.ts';

/** The origin of an act, as stored in the log. */
export interface Act {
  at: Date;
  /** See domain/actor.ts. */
  actor: string;
  contract: string;
  ipAddress: string | null;
  userAgent: string;
  requestId: string | null;
  /** A note for readers of the log. */
  note?: string | undefined;
}

/** A live session with its user, as the statements select it. */
export interface SessionRow {
  id: string;
  user_id: number;
  client_id: string;
  device_id: string;
  device_name: string;
  contract: string;
  granted: Grant;
  born: number;
  created_at: Date;
  expires_at: Date;
  idle_seconds: number;
  idle_expires_at: Date;
  email: string;
  name: string;
  role: Role;
  workspace: string;
  profile_version: number;
}

export const LIVE_COLUMNS: string = `s.id, s.user_id, s.client_id, s.device_id, s.device_name, s.contract,
  grant_of(s.granted, s.contract) as granted, s.born, s.created_at,
  s.expires_at, s.idle_seconds, s.idle_expires_at, u.email, u.name, u.role, u.workspace, u.profile_version`;
/** As idleSlackSeconds of domain/session.ts: activity is written late. */
const idleEnd = (row: string): string =>
  `${row}idle_expires_at + make_interval(secs => least(10, ${row}idle_seconds / 2.0) + 2)`;
/** Neither lifetime has expired. `$1` is now. */
export const UNEXPIRED: string = `s.expires_at > $1 and ${idleEnd('s.')} > $1`;
/** Alive: open, neither lifetime expired, and its user neither disabled nor deleted. `$1` is now. */
export const ALIVE: string = `${UNEXPIRED} and u.disabled_at is null and u.deleted_at is null`;

/** The live session, or whether it is over for good: one that only looks idle may be in use elsewhere. */
type Found<Row> = Row | { id: null; over: boolean };
const isOver = (sid: string): string =>
  `not exists (select 1 from open_sessions o where o.id = ${sid} and o.expires_at > $1)`;
const alive = (which: string): string =>
  `left join lateral (
     select ${LIVE_COLUMNS} from open_sessions s join users u on u.id = s.user_id where ${which} and ${ALIVE}
   ) live on true`;

const sessionOfToken = statement<
  [now: Date, hash: Buffer, kind: TokenKind],
  Found<SessionRow> & { token_id: number; token_expires_at: Date }
>(
  'session_of_token',
  `select t.id as token_id, t.expires_at as token_expires_at, live.*, case when live.id is null then
     t.expires_at <= $1 or t.spent_at is not null or ${isOver('t.session_id')} end as over
   from tokens t ${alive('s.id = t.session_id and t.expires_at > $1 and t.spent_at is null')}
   where t.hash = $2 and t.kind = $3`,
  'check',
);

const sessionOfId = statement<[now: Date, sid: string], Found<SessionRow>>(
  'session_of_id',
  `select live.*, case when live.id is null then ${isOver('named.id')} end as over
   from user_sessions named ${alive('s.id = named.id')}
   where named.id = $2`,
  'check',
);

export function live(row: SessionRow): LiveSession {
  return {
    sid: row.id,
    userId: row.user_id,
    clientId: row.client_id,
    deviceId: row.device_id,
    deviceName: row.device_name,
    contract: row.contract,
    grant: row.granted,
    born: row.born,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    idleSeconds: row.idle_seconds,
    idleExpiresAt: row.idle_expires_at,
    user: factsOf(row),
  };
}

function factsOf(
  row: Pick<SessionRow, 'user_id' | 'email' | 'name' | 'role' | 'workspace' | 'profile_version'>,
): UserFacts {
  return {
    id: row.user_id,
    email: row.email,
    name: row.name,
    role: row.role,
    workspace: row.workspace,
    profileVersion: row.profile_version,
  };
}

/** The live session of an opaque token; `over` when the token or its session is over for good; else null. */
export async function findSessionOfToken(
  on: Queryable,
  now: Date,
  token: { hash: Buffer; kind: TokenKind; id?: number },
): Promise<{ session: LiveSession; expiresAt: Date } | 'over' | null> {
  const [row] = await sessionOfToken.run(on, now, token.hash, token.kind);
  if (!row || (token.id !== undefined && token.id !== row.token_id)) return null;
  if (row.id === null) return row.over ? 'over' : null;
  return { session: live(row), expiresAt: row.token_expires_at };
}

/** The live session of that id; `over` when it is over for good; `unknown` when it has no row; else null. */
export async function findSession(
  on: Queryable,
  now: Date,
  sid: string,
): Promise<LiveSession | 'over' | 'unknown' | null> {
  const [row] = await sessionOfId.run(on, now, sid);
  if (!row) return 'unknown';
  if (row.id === null) return row.over ? 'over' : null;
  return live(row);
}

interface NewSession {
  sid: string;
  userId: number;
  /** The hash that the password was verified with; null where a service key vouches for the user. */
  credentialVersion: number | null;
  clientId: string;
  deviceId: string;
  /** Null: the name that the user gave the device in an earlier session. */
  deviceName: string | null;
  contract: string;
  grant: Grant;
  idleSeconds: number;
  idleExpiresAt: Date;
  expiresAt: Date;
  tokens: { hash: Buffer; kind: TokenKind; expiresAt: Date }[];
}

/*
 * The user's row is locked (FOR SHARE) before the position is drawn. A concurrent password change, disabling or deletion either
 * comes first, and this login finds no row, or comes second with a higher position, and its cut ends this session.
 *
 * A name is given to the open sessions of a device, so the session that ended last has the newest. It is looked for among the
 * user's newest sessions only: a login must not get slower with their number.
 */
const insertSession = statement<
  [
    now: Date,
    sid: string,
    userId: number,
    credentialVersion: number | null,
    clientId: string,
    deviceId: string,
    deviceName: string | null,
    userAgent: string,
    ipAddress: string | null,
    contract: string,
    idleSeconds: number,
    idleExpiresAt: Date,
    expiresAt: Date,
    hashes: Buffer[],
    kinds: string[],
    tokenExpiries: Date[],
    actor: string,
    requestId: string | null,
    granted: Grant,
  ],
  Pick<
    SessionRow,
    'born' | 'device_name' | 'user_id' | 'email' | 'name' | 'role' | 'workspace' | 'profile_version'
  > & {
    access_id: number | null;
  }
>(
  'insert_session',
  `with subject as (
     select id, email, name, role, workspace, profile_version from users
     where id = $3 and ($4::bigint is null or credential_version = $4) and disabled_at is null and deleted_at is null
     for share
   ), session as (
     insert into user_sessions (id, user_id, client_id, device_id, device_name, user_agent, ip_address, contract, born,
       created_at, last_seen_at, idle_seconds, idle_expires_at, expires_at, granted)
     select $2, id, $5, $6, coalesce($7::text, (
         select recent.device_name from (
           select * from user_sessions s where s.user_id = subject.id order by s.id desc limit 500
         ) recent
         where recent.device_id = $6 order by recent.is_active desc, recent.ended_at desc, recent.id desc limit 1
       ), ''), $8, $9, $10, nextval('positions'), $1, $1, $11, $12, $13, $19 from subject
     returning id, user_id, born, device_name
   ), token as (
     insert into tokens (hash, session_id, kind, created_at, expires_at)
     select t.hash, session.id, t.kind, $1, t.expires_at
     from session, unnest($14::bytea[], $15::text[], $16::timestamptz[]) as t (hash, kind, expires_at)
     returning id, kind
   ), event as (
     insert into events (position, at, type, user_id, session_ids, client_id, device_id, actor, contract, ip_address,
       user_agent, request_id)
     select born, $1, 'session_started', user_id, array[id], $5, $6, $17, $10, $9, $8, $18 from session
   )
   select session.born, session.device_name, session.user_id, subject.email, subject.name, subject.role, subject.workspace,
     subject.profile_version, (select id from token where kind = 'access') as access_id
   from session join subject on subject.id = session.user_id`,
);

/**
 * Opens a session with its tokens and appends its event, in one statement. Returns the user as read under the lock: an earlier
 * read may be older than a change whose event was processed already. Null when the user is gone or disabled, or the password has
 * changed since it was verified.
 */
export async function insertNewSession(
  on: Queryable,
  session: NewSession,
  act: Act,
): Promise<{ born: number; deviceName: string; user: UserFacts; accessId: number | null } | null> {
  const [row] = await insertSession.run(
    on,
    act.at,
    session.sid,
    session.userId,
    session.credentialVersion,
    session.clientId,
    session.deviceId,
    session.deviceName,
    act.userAgent,
    act.ipAddress,
    session.contract,
    session.idleSeconds,
    session.idleExpiresAt,
    session.expiresAt,
    session.tokens.map((token) => token.hash),
    session.tokens.map((token) => token.kind),
    session.tokens.map((token) => token.expiresAt),
    act.actor,
    act.requestId,
    session.grant,
  );
  return row
    ? { born: row.born, deviceName: row.device_name, user: factsOf(row), accessId: row.access_id }
    : null;
}

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
  ],
);

/** The user's live sessions, newest first, from the one after `before`, without one of them. */
export function listSessionsOfUser(
  on: Queryable,
  now: Date,
  userId: number,
  { before, except }: { before: string | null; except: string | null },
  limit: number,
): Promise<SessionSummary[]> {
  return sessionsOfUser.run(on, [now, userId, limit], [before, except]);
}

const countOfUser = statement<[now: Date, userId: number, most: number], { count: number }>(
  'count_sessions_of_user',
  `select count(*) as count from (
     select 1 from open_sessions s join users u on u.id = s.user_id where s.user_id = $2 and ${ALIVE} limit $3
   ) those`,
);

/** The number of the user's live sessions, up to a bound. */
export async function countSessionsOfUser(
  on: Queryable,
  now: Date,
  userId: number,
  most: number,
): Promise<number> {
  return (await countOfUser.run(on, now, userId, most))[0]?.count ?? 0;
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
}

const WHICH = ['s.user_id = $?', 's.client_id = $?', 's.id < $?::uuid'];
const WHICH_NAMED = [
  's.user_id = any($?::bigint[])',
  's.id = any($?::uuid[])',
  's.device_id = $?',
  's.id <> $?::uuid',
];
const which = ({ userId = null, clientId = null, before = null }: SessionFilter) => [
  userId,
  clientId,
  before,
];
const whichNamed = ({ userIds = null, sids = null, deviceId = null, except = null }: SessionFilter) => [
  userIds,
  sids,
  deviceId,
  except,
];

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

/** The number of live sessions that match a filter. It looks at four cuts for each, so not for everyone's. */
export async function countSessions(on: Queryable, now: Date, filter: SessionFilter): Promise<number> {
  const [row] = await sessionCount.run(on, [now], [...which(filter), ...whichNamed(filter)]);
  return row?.count ?? 0;
}

const rename = statement<[now: Date, sid: string, userId: number, name: string], { id: string }>(
  'name_device',
  // Rows are locked by id, as in revoke.ts.
  `with named as (
     select s.device_id from open_sessions s join users u on u.id = s.user_id
     where s.id = $2 and s.user_id = $3 and ${ALIVE}
   ), locked as (
     select s.id from user_sessions s
     where s.user_id = $3 and s.device_id in (select device_id from named) and s.is_active
     order by s.id for no key update of s
   )
   update user_sessions s set device_name = $4 from locked where s.id = locked.id returning s.id`,
);

/** Names the device of a user's live session, in all of the user's sessions on it. False when there is no such session. */
export async function nameDevice(
  on: Queryable,
  now: Date,
  sid: string,
  userId: number,
  name: string,
): Promise<boolean> {
  return (await rename.run(on, now, sid, userId, name)).length > 0;
}

const authenticatedAt = statement<[sid: string], { at: Date }>(
  'authenticated_at',
  `select coalesce(authenticated_at, created_at) as at from user_sessions where id = $1`,
  'check',
);

/** When the session's user last gave the password in it. */
export async function readAuthenticatedAt(on: Queryable, sid: string): Promise<Date | null> {
  return (await authenticatedAt.run(on, sid))[0]?.at ?? null;
}

const recordActivity = statement<[sids: string[], seen: Date[]], never>(
  'record_activity',
  // Rows are locked by id, as in revoke.ts: two statements with other orders would deadlock.
  `with locked as (
     select s.id, a.seen from user_sessions s join unnest($1::uuid[], $2::timestamptz[]) as a (id, seen) on a.id = s.id
     where s.is_active order by s.id for no key update of s
   )
   update user_sessions s
   set last_seen_at = greatest(s.last_seen_at, locked.seen),
       idle_expires_at = greatest(s.idle_expires_at,
         least(s.expires_at, locked.seen + make_interval(secs => s.idle_seconds)))
   from locked where s.id = locked.id and s.is_active`,
);

/** Writes the last use of many sessions. Never revives an ended one: it sets no other column. */
export async function saveActivity(on: Queryable, activity: { sid: string; seen: Date }[]): Promise<void> {
  await recordActivity.run(
    on,
    activity.map((one) => one.sid),
    activity.map((one) => one.seen),
  );
}

const expireBatch = statement<[now: Date, limit: number], { user_id: number }>(
  'expire_sessions',
  `update user_sessions set is_active = false, ended_at = least(idle_expires_at, expires_at), ended_by = 'system',
     ended_reason = case when expires_at <= $1 then 'absolute_timeout' else 'idle_timeout' end
   where id in (select s.id from open_sessions s where s.idle_expires_at <= $1
       and (${idleEnd('s.')} <= $1 or s.expires_at <= $1)
     order by s.idle_expires_at limit $2 for update skip locked)
   returning user_id`,
);

/**
 * Marks rows whose lifetime has expired (the idle end never exceeds the absolute one). They are over anyway: the mark is for
 * readers of the table. Rows that a cut has ended are left to the marker.
 * @returns their users, one for each row
 */
export async function markExpired(on: Queryable, now: Date, limit: number): Promise<number[]> {
  return (await expireBatch.run(on, now, limit)).map((row) => row.user_id);
}

const purgeBatch = statement<[before: Date, limit: number], { id: string }>(
  'purge_sessions',
  `delete from user_sessions where id in (select id from user_sessions where expires_at < $1 limit $2) returning id`,
);

/** Deletes sessions that expired before the instant, with their tokens. */
export async function purgeSessions(on: Queryable, before: Date, limit: number): Promise<number> {
  return (await purgeBatch.run(on, before, limit)).length;
}
