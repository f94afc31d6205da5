import type { EndingFacts } from '../../domain/ending.ts';
import type { EndReason } from '../../domain/session.ts';

/** How far a scope reaches: named sessions, one user but for one session, or a cut's key. */
export type EndScope = 'sessions' | 'others' | 'user' | 'users' | 'device' | 'client' | 'everyone';

/** One row of the log. */
export interface LogEvent {
  position: number;
  at: Date;
  type: 'session_started' | 'sessions_ended' | 'user_changed' | 'user_created' | 'keys_rotated';
  scope: EndScope | null;
  reason: EndReason | null;
  user_id: number | null;
  user_ids: number[] | null;
  session_ids: string[] | null;
  client_id: string | null;
  device_id: string | null;
  except_session: string | null;
  actor: string;
  contract: string | null;
  ip_address: string | null;
  user_agent: string | null;
  request_id: string | null;
  details: Record<string, unknown> | null;
}

/** All of a row, of `events e`. */
export const COLUMNS = `e.position, e.at, e.type, e.scope, e.reason, e.user_id, e.user_ids, e.session_ids, e.client_id,
  e.device_id, e.except_session, e.actor, e.contract, e.ip_address, e.user_agent, e.request_id, e.details`;

/** What the readers of endings need of a row. `user_ids` may be null where `user_id` says it. */
export type EndingEvent = Pick<LogEvent, keyof EndingFacts | 'at' | 'actor'>;
