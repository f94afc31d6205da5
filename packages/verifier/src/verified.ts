import type { SessionFacts } from '@curfew/protocol/cuts';

/** A session that was alive when the check answered. */
export interface Session {
  /** The session's public id. */
  readonly sid: string;
  /** The user's id. */
  readonly subject: string;
  /** The application that it was opened for. */
  readonly clientId: string;
  readonly deviceId: string;
  /** The session's place in the order of logins and logouts. */
  readonly born: number;
  /** When the credential runs out, on the authority's clock. */
  readonly expiresAt: Date;
}

/**
 * What a check says. There is a session only after `ok` has been looked at: nothing else compiles.
 *
 * ```ts
 * const verified = await verifier.verify(credential);
 * if (!verified.ok) return refuse(verified.reason);
 * greet(verified.session.subject);
 * ```
 */
export type Verified = Accepted | Refused;

export interface Accepted {
  readonly ok: true;
  readonly session: Session;
  /** Who said so: this process's replica, or the authority itself. */
  readonly by: 'memory' | 'authority';
}

export interface Refused {
  readonly ok: false;
  readonly reason: Reason;
}

/**
 * - `no_credential`: there was none
 * - `not_canonical`: not the one spelling of a credential of ours
 * - `bad_signature`: a token that the authority did not sign
 * - `not_ours`: signed, but for another audience, by another issuer, or no access token
 * - `expired`: run out, on the authority's clock
 * - `ended`: its session is over for certain
 * - `unknown`: the authority says that no live session answers to it
 * - `stale`: this process cannot prove that it is fresh, and was told not to ask
 * - `unavailable`: the authority did not say anything in time
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

/** A refusal is always the same object: a flood of bad credentials allocates nothing for them. */
export function refused(reason: Reason): Refused {
  let refusal = refusals.get(reason);
  if (!refusal) {
    refusal = Object.freeze({ ok: false, reason });
    refusals.set(reason, refusal);
  }
  return refusal;
}

export function sessionOfFacts(facts: SessionFacts, expiresAtMs: number): Session {
  return Object.freeze({
    sid: facts.sid,
    subject: String(facts.userId),
    clientId: facts.clientId,
    deviceId: facts.deviceId,
    born: facts.born,
    expiresAt: new Date(expiresAtMs),
  });
}

export function factsOfSession(session: Session): SessionFacts {
  const { sid, clientId, deviceId, born } = session;
  return { sid, userId: Number(session.subject), clientId, deviceId, born };
}

/** A user's id as tokens and answers carry it, or null when the text is no such id. */
export function userIdOf(subject: unknown): number | null {
  if (typeof subject !== 'string' || !/^[1-9]\d{0,15}$/.test(subject)) return null;
  const userId = Number(subject);
  return Number.isSafeInteger(userId) ? userId : null;
}
