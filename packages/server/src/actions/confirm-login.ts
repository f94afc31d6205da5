import type { LiveSession } from '../domain/session.ts';
import { readAuthenticatedAt, saveAuthenticatedAt } from '../store/sessions.ts';
import { findPassword } from '../store/users.ts';
import type { World } from './world.ts';

/**
 * Whether the password was given too long ago for what reaches beyond this session. Never, unless it is set so. The
 * database is asked: another node may have been told the password a moment ago.
 */
export async function isLoginTooOld(world: World, session: LiveSession): Promise<boolean> {
  const { config, database, system } = world;
  if (config.confirmAfterSeconds === 0) return false;
  const at = await readAuthenticatedAt(database, session.sid);
  return at === null || system.now().getTime() - at.getTime() > config.confirmAfterSeconds * 1000;
}

/** The password once more: from now on the session counts as one that has just logged in. */
export async function confirmLogin(
  world: World,
  session: LiveSession,
  password: string,
): Promise<'confirmed' | 'wrong_password' | 'ended'> {
  const { database, system } = world;
  const stored = await findPassword(database, session.userId);
  if (!(await system.passwords.verify(stored?.passwordHash ?? null, password))) return 'wrong_password';
  return (await saveAuthenticatedAt(database, session.sid, system.now())) ? 'confirmed' : 'ended';
}
