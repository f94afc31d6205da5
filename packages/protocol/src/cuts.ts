/**
 * The one primitive that ends sessions by scope. A cut under a key ends every session of that key that was born
 * below it. Cuts only grow: merging is commutative, associative and idempotent, so the order in which they arrive
 * does not matter, only that none is missing.
 */
export interface Cut {
  /** Sessions born below it are over, but for the excepted one. */
  position: number;
  /** Sessions born below it are over without exception; never above `position`. */
  base: number;
  /** The session that "log out the others" spares. */
  exceptSession: string | null;
}

/** What a checker knows of a session; a credential carries it. */
export interface SessionFacts {
  sid: string;
  userId: number;
  clientId: string;
  deviceId: string;
  born: number;
}

/** A cut that spares nobody. */
export function cutAll(position: number): Cut {
  return { position, base: position, exceptSession: null };
}

/** A cut that spares one session. */
export function cutOthers(position: number, exceptSession: string): Cut {
  return { position, base: 0, exceptSession };
}

/**
 * One cut that ends exactly the sessions that `a` or `b` ends. For the session that the higher cut excepts, the
 * lower one counts in full unless it excepts the same session; for every other session the higher position decides.
 * The statements in the store say the same in SQL, and a test holds the two against each other.
 */
export function mergeCuts(a: Cut, b: Cut): Cut {
  const [low, high] = a.position <= b.position ? [a, b] : [b, a];
  const differ = low.exceptSession !== high.exceptSession;
  return {
    position: high.position,
    exceptSession: high.exceptSession,
    base: Math.max(low.base, high.base, differ ? low.position : 0),
  };
}

/** Whether the cut ends the session. */
export function isCut(cut: Cut, session: { sid: string; born: number }): boolean {
  return session.born < cut.base || (session.born < cut.position && session.sid !== cut.exceptSession);
}

export const EVERYONE_KEY = 'everyone';
export const userKey = (userId: number): string => `user:${userId}`;
export const clientKey = (clientId: string): string => `client:${clientId}`;
/** A device belongs to a user: whoever names another's device id reaches only their own sessions. */
export const deviceKey = (userId: number, deviceId: string): string => `device:${userId}:${deviceId}`;

/** The keys whose cuts can end the session. */
export function keysOf(session: SessionFacts): string[] {
  return [
    EVERYONE_KEY,
    userKey(session.userId),
    clientKey(session.clientId),
    deviceKey(session.userId, session.deviceId),
  ];
}
