import type { GrantType } from '../domain/client-terms.ts';
import type { Grant, UserFacts } from '../domain/session.ts';
import type { TokenKind } from '../domain/credentials.ts';
import type { Act } from './act.ts';
import type { LoginFacts } from '@curfew/protocol/cuts';
import { IS_LOGIN, loginFacts, type SessionRow, UNEXPIRED } from './live-session.ts';
import { type Queryable, statement } from './statement.ts';
import { type UserColumns, userFacts } from './users.ts';

/** A new session that is begun `through` a login ends with it. One that `replaces` a session has its login, and is one if that was. */
export interface Origin {
  how: 'through' | 'replaces';
  sid: string;
}

interface NewSession {
  sid: string;
  userId: number;
  /** The hash that the password was verified with; null where a service key vouches for the user. */
  credentialVersion: number | null;
  /** False: not for an administrator. */
  admins: boolean;
  /** The open session of the user that it is begun through, or replaces; null for a login of its own. */
  origin: Origin | null;
  clientId: string;
  ownClientOnly: boolean;
  /** The client must allow it; null: not asked. */
  grantType: GrantType | null;
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
 * comes first, and this login finds no row, or comes second with a higher position, and its cut ends this session. The same holds
 * for the client's row (FOR KEY SHARE, as foreign keys do: it makes logins wait for changes of the client, and not for each other),
 * and for the row that it is begun through or replaces (FOR NO KEY UPDATE, after the user's).
 *
 * A session that is begun through a login keeps the facts that cuts of the login are judged by, so no cut can miss it, whichever
 * commits first. It reaches no further than the session that it is begun through (own_client_only). An ending that names the login must know that others were begun through it: `has_children` says so under the lock.
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
    admins: boolean,
    grantType: GrantType | null,
    origin: string | null,
    ownClientOnly: boolean,
    replaces: boolean,
  ],
  Pick<
    SessionRow,
    | 'born'
    | 'device_id'
    | 'device_name'
    | 'tenant'
    | 'own_client_only'
    | 'user_id'
    | 'login'
    | 'login_born'
    | 'login_client'
  > &
    UserColumns & { access_id: number | null }
>(
  'insert_session',
  `with app as materialized (
     select disabled_at is null and deleted_at is null and ($21::text is null or $21 = any(grant_types)) as opens
     from clients where id = $5 for key share
   ), subject as (
     select id, email, name, role, workspace, profile_version, external_issuer, external_id, tenant from users
     where id = $3 and ($4::bigint is null or credential_version = $4) and disabled_at is null and deleted_at is null
       and ($20 or role <> 'admin') and coalesce((select opens from app), true)
     for share
   ), origin as materialized (
     -- The idle end is written late: a session that replaces one was just authenticated.
     select s.* from subject, open_sessions s
     where s.id = $22 and s.user_id = subject.id and ($24 and s.expires_at > $1 or ${IS_LOGIN} and ${UNEXPIRED})
     for no key update of s
   ), flagged as (
     update user_sessions s set has_children = true from origin where s.id = origin.id and not $24 and not s.has_children
   ), begun as materialized (
     select subject.id as user_id, subject.tenant, coalesce(origin.device_id, $6) as device_id,
       case when $22::uuid is null or $24 then nextval('positions') else child_for_all_nodes() end as born,
       case when not $24 or origin.has_children then coalesce(origin.login, origin.id) else origin.login end as login,
       case when not $24 or origin.login_born <> origin.born then coalesce(origin.login_born, origin.born) end as login_born,
       case when not $24 then origin.client_id when origin.login_born <> origin.born then origin.login_client end as login_client,
       $24 and coalesce(origin.has_children, false) as has_children,
       $23 or coalesce(origin.own_client_only, false) as own_client_only
     from subject left join origin on true where $22 is null or origin.id is not null
   ), session as (
     insert into user_sessions (id, user_id, client_id, device_id, device_name, user_agent, ip_address, contract, born,
       created_at, last_seen_at, idle_seconds, idle_expires_at, expires_at, granted,
       tenant, login, login_born, login_client, has_children, own_client_only)
     select $2, user_id, $5, device_id, coalesce($7::text, (
         select recent.device_name from (
           select * from user_sessions s where s.user_id = begun.user_id order by s.id desc limit 500
         ) recent
         where recent.device_id = begun.device_id order by recent.is_active desc, recent.ended_at desc, recent.id desc limit 1
       ), ''), $8, $9, $10, born, $1, $1, $11, $12, $13, $19,
       tenant, login, case when login is not null then coalesce(login_born, born) end,
       case when login is not null then coalesce(login_client, $5) end, has_children, own_client_only from begun
     returning id, user_id, born, device_id, device_name, tenant, own_client_only, login, login_born, login_client
   ), token as (
     insert into tokens (hash, session_id, kind, created_at, expires_at)
     select t.hash, session.id, t.kind, $1, t.expires_at
     from session, unnest($14::bytea[], $15::text[], $16::timestamptz[]) as t (hash, kind, expires_at)
     returning id, kind
   ), event as (
     insert into events (position, at, type, user_id, session_ids, client_id, device_id, actor, contract, ip_address,
       user_agent, request_id, login)
     select born, $1, 'session_started', user_id, array[id], $5, device_id, $17, $10, $9, $8, $18, login from session
   )
   select session.*, subject.email, subject.name, subject.role, subject.workspace,
     subject.profile_version, subject.external_issuer, subject.external_id, (select id from token where kind = 'access') as access_id
   from session join subject on subject.id = session.user_id`,
);

/**
 * Opens a session with its tokens and appends its event, in one statement. Returns the user as read under the lock: an earlier
 * read may be older than a change whose event was processed already. Null when the user or the client is gone or disabled, the
 * password has changed since it was verified, or the session that it is begun through, or replaces, is over.
 */
export async function insertNewSession(
  on: Queryable,
  session: NewSession,
  act: Act,
): Promise<{
  born: number;
  deviceId: string;
  deviceName: string;
  tenant: string;
  ownClientOnly: boolean;
  login: LoginFacts | null;
  user: UserFacts;
  accessId: number | null;
} | null> {
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
    session.admins,
    session.grantType,
    session.origin?.sid ?? null,
    session.ownClientOnly,
    session.origin?.how === 'replaces',
  );
  return row
    ? {
        born: row.born,
        deviceId: row.device_id,
        deviceName: row.device_name,
        tenant: row.tenant,
        ownClientOnly: row.own_client_only,
        login: loginFacts(row),
        user: userFacts(row.user_id, row),
        accessId: row.access_id,
      }
    : null;
}
