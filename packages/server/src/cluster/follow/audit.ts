import type { Database } from '../../store/database.ts';
import { moveReader, readerPlace } from '../../store/log/cursors.ts';
import { readAudited } from '../../store/log/follow.ts';
import { type Queryable, statement } from '../../store/statement.ts';

// Nodes that write at once write each row once, by the index.
const writeAudit = statement<[positions: number[]], never>(
  'write_audit',
  `insert into logs (event_type, user_id, ip_address, message, created_at, event_position)
   select case e.type when 'session_started' then 'USER_LOGIN' else 'USER_LOGOUT' end, u.id, e.ip_address,
     case when e.type = 'session_started' then 'User ' || u.id || ' logged in successfully'
          when u.id is null then 'Sessions ended: ' || e.scope || coalesce(' ' || e.client_id, '') || ', ' || e.reason
          when e.reason = 'logout' then 'User ' || u.id || ' logged out successfully'
          else 'User ' || u.id || ' logged out: ' || e.reason end,
     e.at, e.position
   from events e
   left join lateral unnest(coalesce(e.user_ids, array[e.user_id])) as u (id) on true
   where e.position = any($1::bigint[])
   order by e.position
   on conflict (event_position, coalesce(user_id, 0)) do nothing`,
);
const AUDITED_AT_ONCE = 10_000;

/** Writes the rows of contract 004's `logs` for what is new in the log, each once. */
export async function writeAuditRows(on: Queryable, atATime: number = AUDITED_AT_ONCE): Promise<void> {
  let { cursor } = await readerPlace(on, 'audit', 'at the start');
  let more = true;
  while (more) {
    const news = await readAudited(on, cursor, atATime);
    if (news.events.length > 0)
      await writeAudit.run(
        on,
        news.events.map(({ position }) => position),
      );
    if (news.cursor !== cursor) await moveReader(on, 'audit', news.cursor);
    ({ cursor, more } = news);
  }
}

/** Writes contract 004's `logs` from the log, each row once, whichever node gets to it first. */
export function auditPass(database: Database): () => Promise<void> {
  return () => writeAuditRows(database);
}
