/**
 * Notices, `GET /v1/notices`: what the authority tells a device over a WebSocket. One direction alone, texts of JSON; the
 * device says nothing. No message holds a name, an address or a secret.
 */

/** The subprotocol that a client offers and the server selects. */
export const NOTICES_PROTOCOL = 'curfew.notices.v1';

/**
 * A browser cannot send an Authorization header with a WebSocket. Without a cookie it offers its token as a further
 * subprotocol: this, and the token. That is a header too, never the address, and the server never selects it.
 */
export const NOTICES_TOKEN = 'curfew.token.';

/** Why a session ended; one word per cause, as `reason` in the log. */
export const END_REASONS = [
  'logout',
  'admin_logout',
  'refresh_replay',
  'user_disabled',
  'user_deleted',
  'password_changed',
  'password_reset',
  'role_changed',
  'replaced_by_login',
  /** The password was given again in it, and a new session took its place. */
  'renewed',
  'idle_timeout',
  'absolute_timeout',
] as const;
export type EndReason = (typeof END_REASONS)[number];

/**
 * Who ended a session, as its owner may hear it. `self`: this session itself. `other_device`: another session of the
 * same user. `system`: a lifetime that ran out, or a rule of the authority.
 */
export const ENDED_BY = ['self', 'other_device', 'administrator', 'service', 'system'] as const;
export type EndedBy = (typeof ENDED_BY)[number];

/** How a session ended. */
export interface SessionEnd {
  reason: EndReason;
  by: EndedBy;
  /** ISO 8601, UTC. */
  at: string;
}

/** What the server says. */
export type Notice =
  | { type: 'hello'; session_id: string }
  /** The last one: the socket closes after it. */
  | ({ type: 'session.ended'; session_id: string } & SessionEnd)
  /** The list of the user's sessions is another one now: a login, a logout, a name. */
  | { type: 'sessions.changed' };

/** The close codes of the WebSocket. */
export const NOTICES_CLOSED = {
  /** The session is over. Final: do not connect again with the same credential. */
  ended: 4401,
  /** RFC 6455 section 7.4.1: the node is going away; connect again, to whichever is there, after a random time. */
  restart: 1012,
  /** Too many sockets, or one that does not read. Connect again later. */
  busy: 1013,
  /** The client sent something. */
  protocol: 1008,
} as const;
