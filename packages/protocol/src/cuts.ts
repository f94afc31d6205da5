/**
 * The primitive that ends sessions by scope: a cut under a key ends every session of that key that was born below it. Merging
 * is commutative, associative and idempotent, so cuts may arrive in any order, and more than once.
 */
export interface Cut {
  /** Sessions born below it are over, but for the excepted one. */
  position: number;
  /** Sessions born below it are over without exception; never above `position`. */
  base: number;
  /** The login that "log out the others" spares, with the sessions begun through it: the `sid` of the login. */
  exceptSession: string | null;
}

/** The facts about a session that a checker needs; each credential carries them. */
export interface SessionFacts {
  /** The session's public id, a UUID. */
  sid: string;
  /** The user, as an opaque text without a colon. */
  subject: string;
  /** The application. */
  clientId: string;
  /** The device. */
  deviceId: string;
  /** The position at which the session began. */
  born: number;
  /** The login that it was begun through, and ends with; null for a login of its own. */
  login: LoginFacts | null;
  /** The tenant; null where an older version wrote the credential, which names neither tenant nor login. */
  tenant: string | null;
}

/** What a session keeps of the login that it was begun through: a cut that ends the login ends the session too. */
export interface LoginFacts {
  /** The `sid` that the login began with: it stays when a renewal gives the login another one. */
  sid: string;
  /** The position at which the login began. */
  born: number;
  /** The application of the login. */
  clientId: string;
}

/** The tenant that exists from the start. */
export const DEFAULT_TENANT = 'default';

/** The kinds of keys, each the beginning of its keys, in the order of `keysOf`. */
export const CUT_KINDS = ['everyone', 'user', 'client', 'device', 'login', 'tenant', 'grant'] as const;

/**
 * Returns a cut that ends every session born below a position.
 * @example
 * import { cutAll, isCut } from '@curfew/protocol/cuts';
 *
 * const isOver = isCut(cutAll(1042), { sid: '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60', born: 1041 }); // true
 */
export function cutAll(position: number): Cut {
  return { position, base: position, exceptSession: null };
}

/**
 * Returns a cut that ends every session born below a position, except one.
 * @example
 * import { cutOthers } from '@curfew/protocol/cuts';
 *
 * const cut = cutOthers(1042, '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60');
 */
export function cutOthers(position: number, exceptSession: string): Cut {
  return { position, base: 0, exceptSession };
}

/**
 * Returns the one cut that ends exactly the sessions that `a` or `b` ends. For the session that the higher cut excepts, the
 * lower one counts in full unless it excepts the same session; for every other session the higher position decides. The
 * store's statements do the same in SQL, and a test compares the two.
 * @example
 * import { cutAll, cutOthers, mergeCuts } from '@curfew/protocol/cuts';
 *
 * const cut = mergeCuts(cutAll(1000), cutOthers(1042, '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60'));
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

/** The `sid` of a session's login: its own, unless it was begun through another session. */
export const loginSidOf = (session: { sid: string; login?: LoginFacts | null }): string =>
  session.login?.sid ?? session.sid;

/**
 * Says whether a cut ends a session of the key that it stands under.
 * @example
 * import { cutOthers, isCut } from '@curfew/protocol/cuts';
 *
 * const sid = '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60';
 * const isOver = isCut(cutOthers(1042, sid), { sid, born: 1041 }); // false: it is the excepted one
 */
export function isCut(cut: Cut, session: { sid: string; born: number; login?: LoginFacts | null }): boolean {
  return (
    session.born < cut.base || (session.born < cut.position && loginSidOf(session) !== cut.exceptSession)
  );
}

/**
 * Returns the login of a session as cuts see it; null if the session is its own. The session is over when its login is, whenever it
 * began itself: so no race decides whether it outlives the login.
 * @example
 * import { type Cut, isCut, keysOf, loginOf, type SessionFacts } from '@curfew/protocol/cuts';
 *
 * const isOver = (session: SessionFacts, cuts: Map<string, Cut>): boolean =>
 *   keysOf(session).some((key) => {
 *     const cut = cuts.get(key);
 *     return cut !== undefined && isCut(cut, session);
 *   });
 *
 * export function isOverOrItsLogin(session: SessionFacts, cuts: Map<string, Cut>): boolean {
 *   const login = loginOf(session);
 *   return isOver(session, cuts) || (login !== null && isOver(login, cuts));
 * }
 */
export function loginOf(session: SessionFacts): SessionFacts | null {
  const { login } = session;
  // A login that was renewed keeps the sid that it began with, and is judged by its own position.
  if (login === null || login.born === session.born) return null;
  return { ...session, ...login, login: null };
}

/** The key of the cuts that end everyone's sessions. */
export const EVERYONE_KEY = 'everyone';
/** Returns the key of the cuts that end a user's sessions. */
export const userKey = (subject: string): string => `user:${subject}`;
/** Returns the key of the cuts that end an application's sessions. */
export const clientKey = (clientId: string): string => `client:${clientId}`;
/** Returns the key of the cuts that end the sessions of a user's device. It holds the user, so that another user's device id reaches nothing. */
export const deviceKey = (subject: string, deviceId: string): string => `device:${subject}:${deviceId}`;
/** Returns the key of the cuts that end a login and the sessions that were begun through it. */
export const loginKey = (login: string): string => `login:${login}`;
/** Returns the key of the cuts that end a tenant's sessions. */
export const tenantKey = (tenant: string): string => `tenant:${tenant}`;
/** Returns the key of the cuts that end a user's sessions of one application. */
export const grantKey = (subject: string, clientId: string): string => `grant:${subject}:${clientId}`;

/**
 * Returns the keys whose cuts can end a session, one of each kind. Cuts of its login end it too; see `loginOf`.
 * @example
 * import { type Cut, isCut, keysOf, type SessionFacts } from '@curfew/protocol/cuts';
 *
 * export const isOver = (session: SessionFacts, cuts: Map<string, Cut>): boolean =>
 *   keysOf(session).some((key) => {
 *     const cut = cuts.get(key);
 *     return cut !== undefined && isCut(cut, session);
 *   });
 */
export function keysOf(session: SessionFacts): string[] {
  return [
    EVERYONE_KEY,
    userKey(session.subject),
    clientKey(session.clientId),
    deviceKey(session.subject, session.deviceId),
    loginKey(loginSidOf(session)),
    // Of a tenant that is not said no cut is certain; see Replica.knows.
    tenantKey(session.tenant ?? ''),
    grantKey(session.subject, session.clientId),
  ];
}
