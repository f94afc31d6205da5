import type { LoginFacts } from '@curfew/protocol/cuts';
import { type Grant, type LiveSession, subjectOf } from '../domain/session.ts';
import type { TokenKind } from '../domain/credentials.ts';
import { type Queryable, statement } from './statement.ts';
import { type UserColumns, userFacts } from './users.ts';

/** A live session with its user, as the statements select it. */
export interface SessionRow extends UserColumns {
  id: string;
  user_id: number;
  client_id: string;
  device_id: string;
  device_name: string;
  contract: string;
  granted: Grant;
  login: string | null;
  login_born: number | null;
  login_client: string | null;
  tenant: string;
  own_client_only: boolean;
  born: number;
  created_at: Date;
  expires_at: Date;
  idle_seconds: number;
  idle_expires_at: Date;
}

export const LIVE_COLUMNS: string = `s.id, s.user_id, s.client_id, s.device_id, s.device_name, s.contract,
  grant_of(s.granted, s.contract) as granted, s.login, s.login_born, s.login_client, s.tenant, s.own_client_only, s.born, s.created_at,
  s.expires_at, s.idle_seconds, s.idle_expires_at, u.email, u.name, u.role, u.workspace, u.profile_version,
  u.external_issuer, u.external_id`;
/** The `sid` of the login of a session `s`: its own, unless it was begun through another one. */
export const LOGIN_OF = 'coalesce(s.login, s.id)';
/** When the login of a session `s` began. */
export const LOGIN_BORN = 'coalesce(s.login_born, s.born)';
/** Whether a session `s` is a login: it was not begun through another one. */
export const IS_LOGIN: string = `${LOGIN_BORN} = s.born`;
/** The login of a session that is named by its `sid`. */
export const loginOfSid = (sid: string): string =>
  `(select coalesce(own.login, own.id) from user_sessions own where own.id = ${sid})`;
/** Whether a session `s` is of the same login as one that is named by its `sid`: by the index on its user. */
export const OF_LOGIN = (sid: string): string =>
  `${LOGIN_OF} = ${loginOfSid(sid)} and s.user_id = (select own.user_id from user_sessions own where own.id = ${sid})`;
/** As idleSlackSeconds of domain/session.ts: activity is written late. */
export const idleEnd = (row: string): string =>
  `${row}idle_expires_at + make_interval(secs => least(10, ${row}idle_seconds / 2.0) + 2)`;
/** Neither lifetime has expired. `$1` is now. */
export const UNEXPIRED: string = `s.expires_at > $1 and ${idleEnd('s.')} > $1`;
/** Alive: open, neither lifetime expired, and its user neither disabled nor deleted. `$1` is now. */
export const ALIVE: string = `${UNEXPIRED} and u.disabled_at is null and u.deleted_at is null`;

/** The live session, or whether it is over for good: one that only looks idle may be in use elsewhere. */
type LiveOrOver<Row> = Row | { id: null; over: boolean };
const isOver = (sid: string): string =>
  `not exists (select 1 from open_sessions o where o.id = ${sid} and o.expires_at > $1)`;
const alive = (which: string): string =>
  `left join lateral (
     select ${LIVE_COLUMNS} from open_sessions s join users u on u.id = s.user_id where ${which} and ${ALIVE}
   ) live on true`;

const sessionOfToken = statement<
  [now: Date, hash: Buffer, kind: TokenKind],
  LiveOrOver<SessionRow> & { token_id: number; token_expires_at: Date }
>(
  'session_of_token',
  `select t.id as token_id, t.expires_at as token_expires_at, live.*, case when live.id is null then
     t.expires_at <= $1 or t.spent_at is not null or ${isOver('t.session_id')} end as over
   from tokens t ${alive('s.id = t.session_id and t.expires_at > $1 and t.spent_at is null')}
   where t.hash = $2 and t.kind = $3`,
  'check',
);

const sessionOfId = statement<[now: Date, sid: string], LiveOrOver<SessionRow>>(
  'session_of_id',
  `select live.*, case when live.id is null then ${isOver('named.id')} end as over
   from user_sessions named ${alive('s.id = named.id')}
   where named.id = $2`,
  'check',
);

export function loginFacts({
  login,
  login_born,
  login_client,
}: Pick<SessionRow, 'login' | 'login_born' | 'login_client'>): LoginFacts | null {
  if (login === null || login_born === null || login_client === null) return null;
  return { sid: login, born: login_born, clientId: login_client };
}

export function live(row: SessionRow): LiveSession {
  return {
    sid: row.id,
    userId: row.user_id,
    subject: subjectOf(row.user_id),
    clientId: row.client_id,
    deviceId: row.device_id,
    deviceName: row.device_name,
    contract: row.contract,
    grant: row.granted,
    login: loginFacts(row),
    tenant: row.tenant,
    ownClientOnly: row.own_client_only,
    born: row.born,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    idleSeconds: row.idle_seconds,
    idleExpiresAt: row.idle_expires_at,
    user: userFacts(row.user_id, row),
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

const authenticatedAt = statement<[sid: string], { at: Date }>(
  'authenticated_at',
  `select coalesce(authenticated_at, created_at) as at from user_sessions where id = $1`,
  'check',
);

/** When the session's user last gave the password in it. */
export async function readAuthenticatedAt(on: Queryable, sid: string): Promise<Date | null> {
  return (await authenticatedAt.run(on, sid))[0]?.at ?? null;
}

const loginOfId = statement<[sid: string], { login: string }>(
  'login_of_id',
  `select ${LOGIN_OF} as login from user_sessions s where s.id = $1 and ${IS_LOGIN}`,
  'ending',
);

/** The login that a session is, alive or over; null for one that was begun through another, or is unknown. */
export async function findLogin(on: Queryable, sid: string): Promise<string | null> {
  return (await loginOfId.run(on, sid))[0]?.login ?? null;
}
