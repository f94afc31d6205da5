import type { LoginFacts, SessionFacts } from '@curfew/protocol/cuts';

/** A session that was alive when the check answered. */
export interface VerifiedSession {
  /** The session's public id. */
  readonly sid: string;
  /** The user, as an opaque text: the `sub` of the token. */
  readonly subject: string;
  /** The application that the session was opened for. */
  readonly clientId: string;
  /** The device that the session was opened on. */
  readonly deviceId: string;
  /** The position of the session in the order of logins and logouts. */
  readonly born: number;
  /** The login that this session was begun through, and ends with; null for a login of its own. */
  readonly login: Readonly<LoginFacts> | null;
  /** The user's tenant; null when a node of an older version wrote the credential. */
  readonly tenant: string | null;
  /** The id that your own system has for the user; null if there is none. Two systems may have the same id for two users. */
  readonly externalId: string | null;
  /** The name of that system; null if there is no id, and when a node of an older version wrote the credential. */
  readonly externalIssuer: string | null;
  /** The user's role, `user` or `admin`: a new role ends the user's sessions, or reaches those that it spares before it is answered. */
  readonly role: string;
  /** When the credential expires, by the authority's clock. */
  readonly expiresAt: Date;
}

/** The result of a check. The session is readable only after `ok` has been tested: nothing else compiles. */
export type Verified = Accepted | Refused;

/** The session is alive. */
export interface Accepted {
  /** Tells the two results apart. */
  readonly ok: true;
  /** The session of the credential. */
  readonly session: VerifiedSession;
  /** The source of the answer: this process's replica, or the authority. */
  readonly by: 'memory' | 'authority';
}

/** The credential is refused. */
export interface Refused {
  /** Tells the two results apart. */
  readonly ok: false;
  /** Why. */
  readonly reason: Reason;
}

/**
 * Why a credential is refused.
 * - `no_credential`: there is none
 * - `not_canonical`: it is not a credential of Curfew in its one spelling
 * - `bad_signature`: the authority did not sign the token
 * - `not_ours`: signed, but for another audience, by another issuer, or not an access token
 * - `expired`: expired by the authority's clock
 * - `ended`: its session has ended
 * - `unknown`: the authority knows no live session of it
 * - `stale`: this process cannot prove that it is fresh, and `onStale` is `refuse`
 * - `unavailable`: the authority did not answer in time
 */
export type Reason =
  | 'no_credential'
  | 'not_canonical'
  | 'bad_signature'
  | 'not_ours'
  | 'expired'
  | 'ended'
  | 'unknown'
  | 'stale'
  | 'unavailable';

const refusals = new Map<Reason, Refused>();

/** One object for each reason, so that a flood of bad credentials allocates nothing. */
export function refused(reason: Reason): Refused {
  let refusal = refusals.get(reason);
  if (!refusal) {
    refusal = Object.freeze({ ok: false, reason });
    refusals.set(reason, refusal);
  }
  return refusal;
}

/** What a session is shown with, beside the facts that endings are judged by. */
export interface SessionDetails {
  role: string;
  externalId: string | null;
  externalIssuer: string | null;
  expiresAtMs: number;
}

export function accept(
  facts: SessionFacts,
  { role, externalId, externalIssuer, expiresAtMs }: SessionDetails,
  by: Accepted['by'],
): Accepted {
  const { sid, subject, clientId, deviceId, born, login, tenant } = facts;
  const expiresAt = new Date(expiresAtMs);
  const session = Object.freeze({
    sid,
    subject,
    clientId,
    deviceId,
    born,
    login,
    tenant,
    externalId,
    externalIssuer,
    role,
    expiresAt,
  });
  return Object.freeze({ ok: true, session, by });
}

export function factsOfSession(session: VerifiedSession): SessionFacts {
  const { sid, subject, clientId, deviceId, born, login, tenant } = session;
  return { sid, subject, clientId, deviceId, born, login, tenant };
}

/** Whether the `sub` of a token or answer can name a user. A colon would be read as the end of it in the key of a cut. */
export function isSubject(subject: unknown): subject is string {
  return typeof subject === 'string' && /^[^:\s]{1,255}$/.test(subject);
}
