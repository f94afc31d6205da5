import type { EndReason } from '../domain/session.ts';
import type { EndingEvent } from './log/log-event.ts';
import type { Act } from './act.ts';

/* The common part of revocations, of named sessions (revoke-sessions.ts) and of a scope (revoke-scope.ts): act, event and result. */

/** The result of a revocation: its event for the readers in this process, and the sessions ended. */
export interface Revocation {
  event: EndingEvent;
  /** The sessions whose rows were marked at once. */
  ended: string[];
  /** The number of sessions ended, marked or not; when `more` is true, at least this many. */
  count: number;
  /** True when rows of ended sessions are still to be marked in the background. */
  more: boolean;
}

export type ActValues = [
  at: Date,
  reason: string,
  actor: string,
  contract: string,
  ipAddress: string | null,
  userAgent: string,
  requestId: string | null,
  details: string | null,
];

/** The first values of each statement that revokes. */
export function actValues(act: Act, reason: EndReason): ActValues {
  return [
    act.at,
    reason,
    act.actor,
    act.contract,
    act.ipAddress,
    act.userAgent,
    act.requestId,
    detailsOf(act),
  ];
}

export const detailsOf = ({ note }: Act): string | null =>
  note === undefined ? null : JSON.stringify({ note });

/** `$1` to `$8` are ActValues; `decided` has the position of the event. */
export const MARK = `set is_active = false, ended_at = $1, ended_by = $3, ended_reason = $2,
  ended_position = (select position from decided)`;
export const APPEND = `insert into events (at, type, reason, actor, contract, ip_address, user_agent, request_id, details, scope,
  user_id, user_ids, session_ids`;
export const APPENDED = `$1, 'sessions_ended', $2, $3, $4, $5, $6, $7, $8::jsonb`;

/** The event of an act, of sessions that ended unless another type is given. */
export function eventOf(act: Act, facts: Pick<EndingEvent, 'position'> & Partial<EndingEvent>): EndingEvent {
  return {
    at: act.at,
    type: 'sessions_ended',
    scope: null,
    reason: null,
    user_id: null,
    user_ids: null,
    session_ids: null,
    client_id: null,
    device_id: null,
    except_session: null,
    login: null,
    logins: null,
    tenant: null,
    actor: act.actor,
    ...facts,
  };
}
