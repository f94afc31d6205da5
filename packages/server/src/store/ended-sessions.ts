import type { EndFacts } from '../domain/session-end.ts';
import type { EndReason } from '../domain/session.ts';
import type { TokenKind } from '../domain/credentials.ts';
import { LOGIN_BORN, LOGIN_OF } from './live-session.ts';
import { type Queryable, statement } from './statement.ts';

interface EndRow {
  id: string;
  user_id: number;
  expires_at: Date;
  idle_expires_at: Date;
  idle_seconds: number;
  is_active: boolean;
  ended_at: Date | null;
  ended_by: string | null;
  ended_reason: EndReason | null;
  cut_at: Date | null;
  cut_by: string | null;
  cut_reason: EndReason | null;
}

/* A cut has ended sessions whose rows are marked later. Its event is at the cut's own position; of several cuts the first one counts. */
const endsOf = statement<[sids: string[]], EndRow>(
  'ends_of_sessions',
  `select s.id, s.user_id, s.expires_at, s.idle_expires_at, s.idle_seconds, s.is_active, s.ended_at, s.ended_by, s.ended_reason,
     cut.at as cut_at, cut.actor as cut_by, cut.reason as cut_reason
   from unnest($1::uuid[]) as asked (id) join user_sessions s on s.id = asked.id
   left join lateral (
     select e.at, e.actor, e.reason
     from (
       select key, ${LOGIN_BORN} as born from unnest(array['everyone', 'user:' || s.user_id, 'device:' || s.user_id || ':' || s.device_id,
         'login:' || ${LOGIN_OF}, 'tenant:' || s.tenant, 'client:' || s.login_client,
         'grant:' || s.user_id || ':' || s.login_client]) as key
       union all
       select key, s.born from unnest(array['client:' || s.client_id, 'grant:' || s.user_id || ':' || s.client_id]) as key
     ) own
     join cuts c on c.key = own.key
     join events e on e.position = c.position
     where s.is_active and (own.born < c.base or (own.born < c.position and c.except_session is distinct from ${LOGIN_OF}))
     order by c.position limit 1
   ) cut on true`,
  'check',
);

/** The state of sessions. Purged ones are missing. */
export async function readEnds(on: Queryable, sids: readonly string[]): Promise<EndFacts[]> {
  return (await endsOf.run(on, [...sids])).map((row) => ({
    sid: row.id,
    userId: row.user_id,
    idleSeconds: row.idle_seconds,
    idleExpiresAt: row.idle_expires_at,
    expiresAt: row.expires_at,
    row: row.is_active
      ? null
      : { at: row.ended_at ?? row.expires_at, actor: row.ended_by ?? 'system', reason: row.ended_reason },
    cut:
      row.cut_at === null ? null : { at: row.cut_at, actor: row.cut_by ?? 'system', reason: row.cut_reason },
  }));
}

const sessionOfSecret = statement<
  [hash: Buffer, kind: TokenKind, firstHash: Buffer | null],
  { session_id: string; id: number }
>(
  'session_of_secret',
  `select session_id, id from tokens where hash = any(array[$1, $3]::bytea[]) and kind = $2 order by hash <> $1 limit 1`,
  'check',
);

/** The session that a secret opened, alive or not. Null for an unknown secret. */
export async function findSidOfSecret(
  on: Queryable,
  secret: { hash: Buffer; kind: TokenKind; id?: number },
  /** By the session's first secret of that kind, where the secret's own row may be purged. */
  firstHash: Buffer | null = null,
): Promise<string | null> {
  const [row] = await sessionOfSecret.run(on, secret.hash, secret.kind, firstHash);
  return row && (secret.id === undefined || secret.id === row.id) ? row.session_id : null;
}

const reasonOfSecret = statement<[hash: Buffer, kind: TokenKind], { reason: EndReason | null }>(
  'end_reason_of_secret',
  `select s.ended_reason as reason from tokens t join user_sessions s on s.id = t.session_id
   where t.hash = $1 and t.kind = $2`,
);

/** How the session of a secret ended, by its row. Null when the row does not say. */
export async function findReasonOfSecret(
  on: Queryable,
  secret: { hash: Buffer; kind: TokenKind },
): Promise<EndReason | null> {
  return (await reasonOfSecret.run(on, secret.hash, secret.kind))[0]?.reason ?? null;
}
