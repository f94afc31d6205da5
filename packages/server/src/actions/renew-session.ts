import type { LiveSession } from '../domain/session.ts';
import type { Revocation } from '../store/revocation.ts';
import { cut } from '../store/revoke-scope.ts';
import { revokeSessions } from '../store/revoke-sessions.ts';
import type { Act } from '../store/act.ts';
import type { Queryable } from '../store/statement.ts';
import { openSession, type OpenedSession } from './start-session.ts';
import type { World } from '../world/world.ts';

/** The session to renew is over. */
export class SessionOver extends Error {
  override name = 'SessionOver';
}

/**
 * Replaces a session whose password was confirmed by a new one, and ends it: copies of its credentials become useless (RFC 9700
 * section 4.14.2). Sessions that were begun through it go on. A new session, because every verifier can end a session with all its issued tokens, but not a part of one.
 * @returns the ending and the new session, to announce after the commit
 * @throws SessionOver
 */
export async function renewSession(
  world: World,
  on: Queryable,
  session: LiveSession,
  credentialVersion: number | null,
  act: Act,
): Promise<OpenedSession & { ending: Revocation }> {
  const { sid, userId, contract, grant, clientId, deviceId, ownClientOnly } = session;
  const origin = { how: 'replaces', sid } as const;
  // The user's row is locked before the session's, as everywhere.
  const how = { contract, grant, clientId, grantType: null, device: { id: deviceId }, origin, ownClientOnly };
  const opened = await openSession(world, on, { userId, credentialVersion }, how, act);
  const ending = opened && (await revokeSessions(on, [sid], { userId }, act, 'renewed'));
  if (!opened || !ending) throw new SessionOver('the session ended in the meantime');
  return { ...opened, ending };
}

/**
 * Replaces all sessions of a user by one, in place of the caller's. It is a login of its own: what was begun through the others ends.
 * @returns the endings and the new session, to announce after the commit
 * @throws SessionOver
 */
export async function replaceAll(
  world: World,
  on: Queryable,
  session: LiveSession,
  act: Act,
): Promise<OpenedSession & { endings: Revocation[] }> {
  const { sid, userId, contract, grant, clientId, deviceId, ownClientOnly } = session;
  const renewed = await revokeSessions(on, [sid], { userId }, act, 'renewed');
  const others = renewed && (await cut(on, { scope: 'user', userId }, act, 'password_changed'));
  const how = { contract, grant, clientId, grantType: null, device: { id: deviceId }, ownClientOnly };
  const opened = others && (await openSession(world, on, { userId, credentialVersion: null }, how, act));
  if (!opened) throw new SessionOver('the session ended in the meantime');
  return { ...opened, endings: [renewed, others] };
}
