import { idleEnd } from './live-session.ts';
import { type Queryable, statement } from './statement.ts';

/** The last use of a session. */
export interface SessionUse {
  sid: string;
  seen: Date;
  /** Counts only if the session is of this audience; null: whatever it is. */
  audience: string | null;
}

const recordActivity = statement<
  [sids: string[], seen: Date[], audiences: (string | null)[], ownAudience: string],
  never
>(
  'record_activity',
  // Rows are locked by id, as in revoke-sessions.ts: two statements with other orders would deadlock.
  `with locked as (
     select s.id, a.seen
     from user_sessions s join unnest($1::uuid[], $2::timestamptz[], $3::text[]) as a (id, seen, audience) on a.id = s.id
     where s.is_active and (a.audience is null
       or a.audience = (select coalesce(c.audience, $4) from clients c where c.id = s.client_id))
     order by s.id for no key update of s
   )
   update user_sessions s
   set last_seen_at = greatest(s.last_seen_at, locked.seen),
       idle_expires_at = greatest(s.idle_expires_at,
         least(s.expires_at, locked.seen + make_interval(secs => s.idle_seconds)))
   from (select id, max(seen) as seen from locked group by id) as locked where s.id = locked.id and s.is_active`,
);

/** Writes the last use of many sessions. Never revives an ended one: it sets no other column. */
export async function saveActivity(
  on: Queryable,
  activity: readonly SessionUse[],
  ownAudience: string,
): Promise<void> {
  await recordActivity.run(
    on,
    activity.map((one) => one.sid),
    activity.map((one) => one.seen),
    activity.map((one) => one.audience),
    ownAudience,
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
  // A login stays as long as a session that was begun through it: an ending may name it.
  `delete from user_sessions where id in (
     select s.id from user_sessions s where s.expires_at < $1 and not (s.has_children and exists (
       select from user_sessions c where c.user_id = s.user_id and c.login = s.id and c.id <> s.id
     )) limit $2
   ) returning id`,
);

/** Deletes sessions that expired before the instant, with their tokens. */
export async function purgeSessions(on: Queryable, before: Date, limit: number): Promise<number> {
  return (await purgeBatch.run(on, before, limit)).length;
}
