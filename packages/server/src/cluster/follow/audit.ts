import { USER_OF } from '../../store/log/log-event.ts';
import { type Queryable, statement } from '../../store/statement.ts';
import type { DurableReader } from './log-reader.ts';

// The index makes nodes that write at once write each row once.
const writeAudit = statement<[positions: number[]], never>(
  'write_audit',
  `insert into logs (event_type, user_id, ip_address, message, created_at, event_position)
   select case e.type when 'session_started' then 'USER_LOGIN' else 'USER_LOGOUT' end, u.id, e.ip_address,
     case when e.type = 'session_started' then 'User ' || u.id || ' logged in successfully'
          when u.id is null then 'Sessions ended: ' || e.scope || coalesce(' ' || coalesce(e.client_id, e.tenant), '') || ', ' || e.reason
          when e.reason = 'logout' then 'User ' || u.id || ' logged out successfully'
          else 'User ' || u.id || ' logged out: ' || e.reason end,
     e.at, e.position
   from events e
   left join lateral unnest(coalesce(e.user_ids, array[${USER_OF}])) as u (id) on true
   where e.position = any($1::bigint[])
   order by e.position
   on conflict (event_position, coalesce(user_id, 0)) do nothing`,
);

export const writeAuditRows = async (positions: number[], on: Queryable): Promise<void> =>
  void (await writeAudit.run(on, positions));

/** Writes contract 004's `logs`, each row once, on whichever node comes first. */
export const audit: DurableReader = {
  name: 'audit',
  does: 'the audit view',
  wants: ['session_started', 'sessions_ended'],
  runs: 'all-nodes',
  begins: 'at the start',
  open: () => ({ pages: { dealByPosition: writeAuditRows } }),
};
