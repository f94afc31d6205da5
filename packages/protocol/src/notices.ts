/**
 * Notices, `GET /v1/notices`: messages of the authority to a device over a WebSocket, JSON texts, in one direction. No message
 * holds a name, an address or a secret.
 */

/** The subprotocol that a client offers and the server selects. */
export const NOTICES_PROTOCOL = 'curfew.notices.v1';

/**
 * A browser cannot send an Authorization header with a WebSocket. Without a cookie it offers a second subprotocol: this prefix
 * and its token. That is a header, never the URL, and the server never selects it.
 */
export const NOTICES_TOKEN = 'curfew.token.';

/** Why a session ended; the `reason` in the log. */
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
  /** The user confirmed the password, and a new session replaced this one. */
  'renewed',
  'idle_timeout',
  'absolute_timeout',
] as const;
export type EndReason = (typeof END_REASONS)[number];

/**
 * Who ended a session, as shown to its owner. `self`: this session. `other_device`: another session of the same user. `system`:
 * an expiry, or a rule of the authority.
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

/** The messages of the server. */
export type Notice =
  | { type: 'hello'; session_id: string }
  /** The last message: the socket closes after it. */
  | ({ type: 'session.ended'; session_id: string } & SessionEnd)
  /** The list of the user's sessions has changed: a login, a logout, a name. */
  | { type: 'sessions.changed' };

/** The close codes of the WebSocket. */
export const NOTICES_CLOSED = {
  /** The session has ended. Do not connect again with the same credential. */
  ended: 4401,
  /** The node is shutting down (RFC 6455 section 7.4.1): connect again after a random time. */
  restart: 1012,
  /** Too many sockets, or a client that does not read. Connect again later. */
  busy: 1013,
  /** The client sent something. */
  protocol: 1008,
} as const;
