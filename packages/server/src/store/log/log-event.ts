import type { EndingFacts } from '../../domain/event-ending.ts';
import type { EndReason } from '../../domain/session.ts';

/** The scope of an event: named sessions, one user except one session, or a cut's key. */
type EndScope =
  | 'sessions'
  | 'others'
  | 'user'
  | 'users'
  | 'device'
  | 'client'
  | 'grant'
  | 'login'
  | 'tenant'
  | 'everyone';

/** A row of the log. */
export interface LogEvent extends EndingFacts {
  at: Date;
  type:
    | 'session_started'
    | 'sessions_ended'
    | 'user_changed'
    | 'user_created'
    | 'keys_rotated'
    | 'api_key_created'
    | 'api_key_revoked'
    | 'client_created'
    | 'client_updated'
    | 'client_deleted';
  scope: EndScope | null;
  reason: EndReason | null;
  actor: string;
  contract: string | null;
  ip_address: string | null;
  user_agent: string | null;
  request_id: string | null;
  details: Record<string, unknown> | null;
}

/** The user of an event `e`. */
export const USER_OF = 'coalesce(e.user_id, e.cut_user)';

/** All columns of `events e`. */
export const COLUMNS = `e.position, e.at, e.type, e.scope, e.reason, ${USER_OF} as user_id, e.user_ids, e.session_ids,
  e.client_id, e.device_id, e.except_session, e.login, e.logins, e.tenant, e.actor, e.contract, e.ip_address, e.user_agent, e.request_id, e.details`;

/** The columns that readers of endings need. `user_ids` may be null where `user_id` has the value. */
export type EndingEvent = EndingFacts & Pick<LogEvent, 'type' | 'scope' | 'reason' | 'at' | 'actor'>;
