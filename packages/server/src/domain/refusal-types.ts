/** The refusals that are recorded, in the log's words. */
export const REFUSALS = [
  /** A wrong password, or an account that does not exist, is disabled or has no password. */
  'login_failed',
  /** A login beyond the limits of failed logins. */
  'login_limited',
  /** A wrong password where a live session had to confirm it. */
  'reauthentication_failed',
  /** A spent refresh token within its grace, from another place or too often. After the grace it ends the session. */
  'refresh_refused',
  /** A request that changes something or asks for a cookie, from another site's page or without its token. */
  'csrf_refused',
  /** A credential for an application, where one for Curfew itself is required. */
  'audience_refused',
  /** An administrator's call by a user without the role. */
  'admin_forbidden',
  /** A call for service keys, outside the administration, without one. */
  'service_key_refused',
  /** A WebSocket from another site's page, or without a live credential. */
  'websocket_refused',
] as const;

export type RefusalType = (typeof REFUSALS)[number];

/** The attempt names an account without having proved anything. */
const UNPROVEN: readonly RefusalType[] = ['login_failed', 'login_limited', 'refresh_refused'];

/** The actor, as in the log. */
export const refusedActor = (type: RefusalType, userId: number | null): string =>
  userId === null || UNPROVEN.includes(type) ? 'anonymous' : `user:${userId}`;

/** The source of the row for all attempts beyond the number of sources with rows of their own. */
export const OTHERS = '*';
