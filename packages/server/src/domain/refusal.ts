/** What is refused and leaves a trace, in the log's words. */
export const REFUSALS = [
  /** A wrong password, an account that does not exist, is disabled or has no password. */
  'login_failed',
  /** A login beyond the limits of failed ones. */
  'login_limited',
  /** A wrong password where a live session had to give it again. */
  'reauthentication_failed',
  /** A spent refresh token within its grace, from elsewhere or too often. After the grace it ends the session. */
  'refresh_refused',
  /** A request that changes something, with a cookie or to get one, from another site's page or without its token. */
  'csrf_refused',
  /** A credential for an application, where only one for Curfew itself will do. */
  'audience_refused',
  /** An administrator's call by somebody who is none. */
  'admin_forbidden',
  /** A call for service keys alone, beside the administration, without one. */
  'service_key_refused',
  /** A WebSocket from another site's page, or without a live credential. */
  'websocket_refused',
] as const;

export type RefusalType = (typeof REFUSALS)[number];

/** The attempt names an account without having proven anything. */
const UNPROVEN: readonly RefusalType[] = ['login_failed', 'login_limited', 'refresh_refused'];

/** Who did it, as the log says it. */
export const refusedActor = (type: RefusalType, userId: number | null): string =>
  userId === null || UNPROVEN.includes(type) ? 'anonymous' : `user:${userId}`;

/** The source of the row that takes in whatever is beyond the number of sources that have one. */
export const OTHERS = '*';
