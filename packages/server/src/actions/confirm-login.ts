import { userActor } from '../domain/actor.ts';
import type { LiveSession } from '../domain/session.ts';
import { readAuthenticatedAt } from '../store/live-session.ts';
import { findPassword } from '../store/users.ts';
import { Denied } from './denied.ts';
import { provePassword } from './prove-password.ts';
import { renewSession, SessionOver } from './renew-session.ts';
import { settle } from './settle.ts';
import type { StartedSession } from './start-session.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';

/**
 * Whether the password was given too long ago for acts beyond this session; never, unless configured. Asks the database, because
 * another node may have verified the password a moment ago.
 */
async function isLoginTooOld(world: World, sid: string): Promise<boolean> {
  const { config, database, system } = world;
  if (config.confirmAfterSeconds === 0) return false;
  const at = await readAuthenticatedAt(database, sid);
  return at === null || system.now().getTime() - at.getTime() > config.confirmAfterSeconds * 1000;
}

/**
 * Guards acts beyond a session, and those of an administrator. A service and an operator have no session, and pass.
 * @throws Denied when the password was given too long ago
 */
export async function askForRecentLogin(world: World, sid: string | null): Promise<void> {
  if (sid !== null && (await isLoginTooOld(world, sid))) throw new Denied('login_too_old');
}

/** Verifies the password again: a newly logged in session replaces this one. */
export async function confirmLogin(
  world: World,
  session: LiveSession,
  password: string,
  context: RequestContext,
): Promise<StartedSession | 'wrong_password' | 'ended'> {
  const { database } = world;
  const stored = await findPassword(database, session.userId);
  const account = stored && { id: session.userId, passwordHash: stored.passwordHash };
  if (!(await provePassword(world, account, password)) || !stored) return 'wrong_password';
  const act = actOf(world, context, userActor(session.userId, session.sid));
  try {
    const { ending, started, begun } = await database.transaction(
      (on) => renewSession(world, on, session, stored.credentialVersion, act),
      'ending',
    );
    await settle(world, ending, 'replicas');
    begun();
    return started;
  } catch (error) {
    if (error instanceof SessionOver) return 'ended';
    throw error;
  }
}
