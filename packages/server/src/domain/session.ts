import type { SessionFacts } from '@curfew/protocol/cuts';
import type { Role } from '@curfew/protocol/wire/user';

export type { Role };
export { END_REASONS, type EndReason } from '@curfew/protocol/notices';

/*
 * Glossary. ARCHITECTURE.md has all of it.
 *   session   one login of one user with one client on one device; its public id is the `sid`
 *   client    an application that users log in to; named by its `client_id` (RFC 6749 section 2.2)
 *   subject   the user a session belongs to
 *   token     an opaque credential of a session: access, session, cookie, refresh
 *   revoke    end a session (or all of a scope) for good; "log out" is what its owner calls it
 *   refresh   exchange a refresh token for its successor; the old token is spent ("rotated")
 *   cut       ends every session of a key born below a position
 *   born      the position that a session takes when it begins
 *   open      ended by no row and no cut; a session is *alive* when it is open and neither lifetime has expired
 */

/** The credentials that a session is opened with: JWT and refresh token, opaque tokens, a session token, a cookie. */
export type Grant = 'bearer' | 'opaque' | 'session' | 'cookie';

/** The caller of a request with a valid credential: an open session and its user. */
export interface LiveSession extends SessionFacts {
  /** The id of the user's row, which `subject` names to everybody else. */
  userId: number;
  tenant: string;
  /** The name of the family that it was opened through. */
  contract: string;
  grant: Grant;
  /** Opened by a client's API key: of the user's sessions it reaches those of its client alone. */
  ownClientOnly: boolean;
  deviceName: string;
  createdAt: Date;
  expiresAt: Date;
  idleSeconds: number;
  idleExpiresAt: Date;
  user: UserFacts;
}

/** The only client whose sessions of the user the session lists, names and ends; null: any. */
export const clientWithin = ({ ownClientOnly, clientId }: LiveSession): string | null =>
  ownClientOnly ? clientId : null;

/** The subject of a user, as tokens and the feed name it. */
export const subjectOf = (userId: number): string => String(userId);

/** The user's data in a profile. */
export interface UserFacts {
  id: number;
  email: string;
  name: string;
  role: Role;
  workspace: string;
  profileVersion: number;
  /** The user in another system; null: in none. */
  external: ExternalId | null;
}

/** The id of a user in another system, unique within the name of that system. */
export interface ExternalId {
  issuer: string;
  id: string;
}

/** The lifetimes of an application's sessions and tokens, in seconds. */
export interface Lifetimes {
  idleSeconds: number;
  absoluteSeconds: number;
  accessTokenSeconds: number;
  opaqueAccessSeconds: number;
}

/** Activity is written back at least this often, and at least four times within the shortest idle lifetime. */
const FLUSH_AT_MOST_SECONDS = 5;
export const flushSeconds = (idleSeconds: number): number => Math.min(FLUSH_AT_MOST_SECONDS, idleSeconds / 4);

/**
 * For how long after its idle end in the database a session may still turn out to have been used: a use that a node or verifier
 * holds is written after two rounds at the latest, and a round may take a second. Every node judges it alive until then. In SQL:
 * store/live-session.ts.
 */
export const idleSlackSeconds = (idleSeconds: number): number => 2 * flushSeconds(idleSeconds) + 2;

/** When a session that is used at `now` expires: the idle end never exceeds the absolute one. */
export function idleExpiry(now: Date, idleSeconds: number, expiresAt: Date): Date {
  return new Date(Math.min(now.getTime() + idleSeconds * 1000, expiresAt.getTime()));
}

/** The remaining life of an access token issued at `now`, in whole seconds: never beyond its session. */
export function accessLifeSeconds(
  now: Date,
  seconds: number,
  session: { idleSeconds: number; expiresAt: Date },
): number {
  const left = Math.floor((session.expiresAt.getTime() - now.getTime()) / 1000);
  return Math.max(1, Math.min(seconds, session.idleSeconds, left));
}

/**
 * An instant of activity as displayed: to the minute, and never before the session began. Seconds would tell a thief when the
 * owner refreshes.
 */
export function shownActivity(at: Date, createdAt: Date): Date {
  const minute = at.getTime() - (at.getTime() % 60_000);
  return new Date(Math.max(minute, createdAt.getTime()));
}

/** The idle end as displayed: computed from the displayed activity, so that it reveals nothing more. */
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
