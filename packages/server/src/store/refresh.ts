import type { RefreshRecord } from '../domain/rotation.ts';
import type { LiveSession } from '../domain/session.ts';
import { ALIVE, findSession, LIVE_COLUMNS, live, type SessionRow } from './sessions.ts';
import { type Queryable, statement } from './statement.ts';

/*
 * One compare-and-set: whoever sets spent_at has rotated the token, everybody else finds it spent. The session is
 * asked for in the same statement; a logout that commits in between makes the successors as dead as the session.
 */
const rotateToken = statement<
  [
    now: Date,
    hash: Buffer,
    nonce: Buffer,
    refreshHash: Buffer,
    accessHash: Buffer,
    clients: string[],
    accessSeconds: number[],
    spentBy: Buffer,
  ],
  SessionRow & { access_id: number | null }
>(
  'rotate_refresh_token',
  `with alive as (
     select ${LIVE_COLUMNS} from tokens t join open_sessions s on s.id = t.session_id join users u on u.id = s.user_id
     where t.hash = $2 and ${ALIVE}
   ), spent as (
     update tokens t set spent_at = $1, successor_nonce = $3, spent_by = $8 from alive
     where t.hash = $2 and t.kind = 'refresh' and t.spent_at is null and t.expires_at > $1 and alive.id = t.session_id
     returning t.session_id, alive.expires_at, alive.client_id, alive.contract
   ), used as (
     update user_sessions s set refresh_generation = s.refresh_generation + 1, last_seen_at = greatest(s.last_seen_at, $1),
       idle_expires_at = greatest(s.idle_expires_at, least(s.expires_at, $1::timestamptz + make_interval(secs => s.idle_seconds)))
     from spent where s.id = spent.session_id
   ), token as (
     insert into tokens (hash, session_id, kind, created_at, expires_at)
     select $4::bytea, session_id, 'refresh', $1::timestamptz, expires_at from spent
     union all
     select $5::bytea, session_id, 'access', $1::timestamptz, least(expires_at, $1::timestamptz + make_interval(secs => coalesce(
         (select life.seconds from unnest($6::text[], $7::int[]) as life (client, seconds)
          where life.client = spent.client_id), 3600)))
     from spent where spent.contract = 'token'
     returning id, kind
   )
   select alive.*, (select id from token where kind = 'access') as access_id
   from alive join spent on spent.session_id = alive.id`,
);

/** Spends a refresh token and stores its successors, once: null when it was not there to be spent. */
export async function rotate(
  on: Queryable,
  now: Date,
  hash: Buffer,
  successor: {
    nonce: Buffer;
    refreshHash: Buffer;
    /** Stored for sessions of contract 003 alone; the others have JWTs. */
    accessHash: Buffer;
    /** Life of an opaque access token, by application. */
    accessSeconds: ReadonlyMap<string, number>;
    spentBy: Buffer;
  },
): Promise<{ session: LiveSession; accessId: number | null } | null> {
  const [row] = await rotateToken.run(
    on,
    now,
    hash,
    successor.nonce,
    successor.refreshHash,
    successor.accessHash,
    [...successor.accessSeconds.keys()],
    [...successor.accessSeconds.values()],
    successor.spentBy,
  );
  return row ? { session: live(row), accessId: row.access_id } : null;
}

const refreshToken = statement<
  [hash: Buffer],
  {
    session_id: string;
    expires_at: Date;
    spent_at: Date | null;
    successor_nonce: Buffer | null;
    spent_by: Buffer | null;
  }
>(
  'refresh_token',
  `select session_id, expires_at, spent_at, successor_nonce, spent_by from tokens where hash = $1 and kind = 'refresh'`,
);

const useGrace = statement<[hash: Buffer, most: number], { uses: number }>(
  'use_refresh_grace',
  `update tokens set grace_uses = grace_uses + 1 where hash = $1 and grace_uses < $2 returning grace_uses as uses`,
);

/** Counts a use within the grace: which one it is, or null when there were as many as may be. */
export async function countGraceUse(on: Queryable, hash: Buffer, most: number): Promise<number | null> {
  return (await useGrace.run(on, hash, most))[0]?.uses ?? null;
}

const accessTokenId = statement<[hash: Buffer], { id: number }>(
  'access_token_id',
  `select id from tokens where hash = $1 and kind = 'access'`,
);

/** A refresh token's row with its live session, for the judgement; null when there is no such token. */
export async function findRefreshToken(
  on: Queryable,
  now: Date,
  hash: Buffer,
): Promise<{ sid: string; record: RefreshRecord; session: LiveSession | null } | null> {
  const [row] = await refreshToken.run(on, hash);
  if (!row) return null;
  const found = await findSession(on, now, row.session_id);
  const session = found === 'over' ? null : found;
  return {
    sid: row.session_id,
    session,
    record: {
      sessionAlive: session !== null,
      expiresAt: row.expires_at,
      spentAt: row.spent_at,
      successorNonce: row.successor_nonce,
      spentBy: row.spent_by,
    },
  };
}

/** The id that contract 003 shows before the bar, for an access token by its hash. */
export async function findAccessTokenId(on: Queryable, hash: Buffer): Promise<number | null> {
  const [row] = await accessTokenId.run(on, hash);
  return row?.id ?? null;
}
