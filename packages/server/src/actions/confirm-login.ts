import type { LiveSession } from '../domain/session.ts';
import { readAuthenticatedAt, saveAuthenticatedAt } from '../store/sessions.ts';
import { findPassword } from '../store/users.ts';
import { Denied } from './denied.ts';
import { provePassword } from './prove-password.ts';
import type { World } from './world.ts';

/**
 * Whether the password was given too long ago for what reaches beyond this session. Never, unless it is set so. The
 * database is asked: another node may have been told the password a moment ago.
 */
async function isLoginTooOld(world: World, sid: string): Promise<boolean> {
  const { config, database, system } = world;
  if (config.confirmAfterSeconds === 0) return false;
  const at = await readAuthenticatedAt(database, sid);
  return at === null || system.now().getTime() - at.getTime() > config.confirmAfterSeconds * 1000;
}

/**
 * For what reaches beyond a session, and for what an administrator does. A service and an operator have no session, and are
 * not asked.
 * @throws Denied when the password was given too long ago
 */
export async function askForRecentLogin(world: World, sid: string | null): Promise<void> {
  if (sid !== null && (await isLoginTooOld(world, sid))) throw new Denied('login_too_old');
}

/** The password once more: from now on the session counts as one that has just logged in. */
export async function confirmLogin(
  world: World,
  session: LiveSession,
  password: string,
): Promise<'confirmed' | 'wrong_password' | 'ended'> {
  const { database, system } = world;
  const stored = await findPassword(database, session.userId);
  const account = stored && { id: session.userId, passwordHash: stored.passwordHash };
  if (!(await provePassword(world, account, password))) return 'wrong_password';
  return (await saveAuthenticatedAt(database, session.sid, system.now())) ? 'confirmed' : 'ended';
}
