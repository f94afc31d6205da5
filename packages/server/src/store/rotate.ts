import type { RefreshRecord } from '../domain/rotation.ts';
import type { LiveSession } from '../domain/session.ts';
import type { Lineage } from '../domain/credentials.ts';
import { ALIVE, findSession, LIVE_COLUMNS, live, type SessionRow } from './live-session.ts';
import { type Queryable, statement } from './statement.ts';

type RotateValues = [
  now: Date,
  hash: Buffer,
  nonce: Buffer,
  refreshHash: Buffer,
  accessHash: Buffer,
  clients: string[],
  accessSeconds: number[],
  spentBy: Buffer,
];
type Rotated = SessionRow & { access_id: number | null };

/*
 * One compare-and-set: the statement that sets spent_at has rotated the token, all others find it spent. It checks the session
 * too; a logout that commits in between makes the successors as dead as the session.
 */
const rotation = (more: string): string =>
  `with alive as (
     select ${LIVE_COLUMNS} from tokens t join open_sessions s on s.id = t.session_id join users u on u.id = s.user_id
     where t.hash = $2 and ${ALIVE}
   ), spent as (
     update tokens t set spent_at = $1, successor_nonce = $3, spent_by = $8 from alive
     where t.hash = $2 and t.kind = 'refresh' and t.spent_at is null and t.expires_at > $1 and alive.id = t.session_id
     returning t.session_id, alive.expires_at, alive.client_id, alive.granted
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
     from spent where spent.granted = 'opaque'
     returning id, kind
   )${more}
   select alive.*, (select id from token where kind = 'access') as access_id
   from alive join spent on spent.session_id = alive.id`;

const rotateToken = statement<RotateValues, Rotated>('rotate_refresh_token', rotation(''));

/*
 * Deletes rows of the session that are no longer needed: tokens spent, and access tokens expired, before an instant. The first
 * token's row stays: it shows that the others were spent.
 */
const rotateAndPurge = statement<[...RotateValues, firstHash: Buffer, purgeBefore: Date], Rotated>(
  'rotate_refresh_token_and_purge',
  rotation(`, purged as (
     delete from tokens old using tokens first, spent
     where first.hash = $9 and first.session_id = spent.session_id
       and old.session_id = spent.session_id and old.hash <> first.hash
       and (old.spent_at < $10 or (old.kind = 'access' and old.expires_at < $10))
   )`),
);

/** Spends a refresh token and stores its successors, once: null when it was not there to be spent. */
export async function rotate(
  on: Queryable,
  now: Date,
  hash: Buffer,
  successor: {
    nonce: Buffer;
    refreshHash: Buffer;
    /** Stored for sessions with opaque tokens; the others have JWTs. */
    accessHash: Buffer;
    /** The life of an opaque access token, by application. */
    accessSeconds: ReadonlyMap<string, number>;
    spentBy: Buffer;
    /** Deletes rows from before an instant, of the session with this first token. */
    purge: { firstHash: Buffer; before: Date } | null;
  },
): Promise<{ session: LiveSession; accessId: number | null } | null> {
  const { purge } = successor;
  const values: RotateValues = [
    now,
    hash,
    successor.nonce,
    successor.refreshHash,
    successor.accessHash,
    [...successor.accessSeconds.keys()],
    [...successor.accessSeconds.values()],
    successor.spentBy,
  ];
  const [row] = purge
    ? await rotateAndPurge.run(on, ...values, purge.firstHash, purge.before)
    : await rotateToken.run(on, ...values);
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

/*
 * By the session's first token, which is never purged: a generation below the session's without a row was spent long ago. One at
 * or above it was never given out, or by a database that went back since.
 */
const purgedToken = statement<
  [firstHash: Buffer, generation: number],
  { session_id: string; expires_at: Date }
>(
  'purged_refresh_token',
  `select t.session_id, t.expires_at from tokens t join user_sessions s on s.id = t.session_id
   where t.hash = $1 and t.kind = 'refresh' and $2 < s.refresh_generation`,
);

const useGrace = statement<[hash: Buffer, most: number], { uses: number }>(
  'use_refresh_grace',
  `update tokens set grace_uses = grace_uses + 1 where hash = $1 and grace_uses < $2 returning grace_uses as uses`,
);

/** Counts a use within the grace: returns its number, or null when the limit is reached. */
export async function countGraceUse(on: Queryable, hash: Buffer, most: number): Promise<number | null> {
  return (await useGrace.run(on, hash, most))[0]?.uses ?? null;
}

const accessTokenId = statement<[hash: Buffer], { id: number }>(
  'access_token_id',
  `select id from tokens where hash = $1 and kind = 'access'`,
);

/** A refresh token with its live session, to be judged; null when there is no such token. */
export async function findRefreshToken(
  on: Queryable,
  now: Date,
  hash: Buffer,
  lineage: Lineage | null,
): Promise<{ sid: string; record: RefreshRecord; session: LiveSession | null } | null> {
  const [row] = await refreshToken.run(on, hash);
  const [purged] = row || !lineage ? [] : await purgedToken.run(on, lineage.firstHash(), lineage.generation);
  const known = row ?? purged;
  if (!known) return null;
  const found = await findSession(on, now, known.session_id);
  const session = typeof found === 'string' ? null : found;
  return {
    sid: known.session_id,
    session,
    record: {
      sessionAlive: session !== null,
      expiresAt: known.expires_at,
      purged: row === undefined,
      spentAt: row?.spent_at ?? null,
      successorNonce: row?.successor_nonce ?? null,
      spentBy: row?.spent_by ?? null,
    },
  };
}

/** The id that contract 003 shows before the bar, for an access token by its hash. */
export async function findAccessTokenId(on: Queryable, hash: Buffer): Promise<number | null> {
  const [row] = await accessTokenId.run(on, hash);
  return row?.id ?? null;
}
