import type { SessionFacts } from '@curfew/protocol/cuts';
import type { Role } from '@curfew/protocol/wire/user';

export type { Role };
export { END_REASONS, type EndReason } from '@curfew/protocol/notices';

/*
 * Glossary.
 *   session   one login of one user with one client on one device; named by its `sid`
 *   client    an application that users log in to; named by its `client_id` (RFC 6749 section 2.2)
 *   subject   the user a session belongs to
 *   token     an opaque credential of a session: access, session, cookie, refresh
 *   revoke    end a session (or all of a scope) for good; "log out" is what its owner calls it
 *   refresh   give a refresh token and get its successor; the token given is spent ("rotated")
 *   cut       ends every session of a key born below a position
 *   open      ended by no row and no cut; a session is *alive* when it is open and neither lifetime has run out
 */

/** The credentials that a session is opened with: JWT and refresh token, opaque ones, a session token, a cookie. */
export type Grant = 'bearer' | 'opaque' | 'session' | 'cookie';

/** Who a request speaks for, once its credential has been judged: an open session and its user. */
export interface LiveSession extends SessionFacts {
  /** The family that it was opened through, by its name. */
  contract: string;
  grant: Grant;
  deviceName: string;
  createdAt: Date;
  expiresAt: Date;
  idleSeconds: number;
  idleExpiresAt: Date;
  user: UserFacts;
}

/** What a profile shows. */
export interface UserFacts {
  id: number;
  email: string;
  name: string;
  role: Role;
  workspace: string;
  profileVersion: number;
}

/** The lifetimes of an application's sessions and tokens, in seconds. */
export interface Lifetimes {
  idleSeconds: number;
  absoluteSeconds: number;
  accessTokenSeconds: number;
  opaqueAccessSeconds: number;
}

/** Activity is written back at least this often, and four times within the shortest idle lifetime. */
const FLUSH_AT_MOST_SECONDS = 5;
export const flushSeconds = (idleSeconds: number): number => Math.min(FLUSH_AT_MOST_SECONDS, idleSeconds / 4);

/**
 * For how long after its idle end, as the database has it, a session may still turn out to have been used: what a node or a
 * verifier was told of is in the database after two rounds of writing at the latest, and a round may take a second. Until then
 * it is alive, and is judged so by every node. In SQL: store/sessions.ts.
 */
export const idleSlackSeconds = (idleSeconds: number): number => 2 * flushSeconds(idleSeconds) + 2;

/** When a session that begins or is used at `now` runs out. Idle never reaches beyond absolute. */
export function idleExpiry(now: Date, idleSeconds: number, expiresAt: Date): Date {
  return new Date(Math.min(now.getTime() + idleSeconds * 1000, expiresAt.getTime()));
}

/** The life left to an access token issued at `now`, in whole seconds: never beyond its session. */
export function accessLifeSeconds(
  now: Date,
  seconds: number,
  session: { idleSeconds: number; expiresAt: Date },
): number {
  const left = Math.floor((session.expiresAt.getTime() - now.getTime()) / 1000);
  return Math.max(1, Math.min(seconds, session.idleSeconds, left));
}

/**
 * An instant of activity as it is shown: to the minute, and never before the session began. A thief who saw it closer would
 * know when the owner refreshes.
 */
export function shownActivity(at: Date, createdAt: Date): Date {
  const minute = at.getTime() - (at.getTime() % 60_000);
  return new Date(Math.max(minute, createdAt.getTime()));
}

/** When a session runs out unused, as it is shown: from its activity as it is shown, so that it does not show more. */
export function shownIdleExpiry(session: {
  createdAt: Date;
  idleSeconds: number;
  idleExpiresAt: Date;
  expiresAt: Date;
}): Date {
  const { createdAt, idleSeconds, idleExpiresAt, expiresAt } = session;
  if (idleExpiresAt >= expiresAt) return expiresAt;
  const used = new Date(idleExpiresAt.getTime() - idleSeconds * 1000);
  return idleExpiry(shownActivity(used, createdAt), idleSeconds, expiresAt);
}
