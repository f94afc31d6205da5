import { findUser } from '../store/users.ts';
import type { ServiceCaller } from './admit.ts';
import { Denied } from './denied.ts';
import { type SessionTerms, type StartedSession, startSession } from './start-session.ts';
import { usersWithin } from './users-of-client.ts';
import type { RequestContext, World } from '../world/world.ts';

/** Sessions of one request that are opened at a time. */
const AT_A_TIME = 8;

/**
 * Opens sessions for a user that a service has authenticated. Null when the user does not exist, is gone, or
 * is beyond the caller's reach.
 * @throws Denied when the user is an administrator, and the caller's key lacks the scope `admin`
 */
export async function startForService(
  world: World,
  { actor, reach }: ServiceCaller,
  userId: number,
  terms: SessionTerms,
  context: RequestContext,
  count: number,
): Promise<StartedSession[] | null> {
  const user = await findUser(world.database, userId, usersWithin(world, reach));
  if (!user || user.disabled_at) return null;
  if (user.role === 'admin' && !reach.admins) throw new Denied('insufficient_scope', 'admin');
  const subject = { userId, credentialVersion: null, actor, admins: reach.admins };
  const how = { ...terms, ownClientOnly: reach.clientId !== null };
  const sessions: StartedSession[] = [];
  while (sessions.length < count) {
    const batch = await Promise.all(
      Array.from({ length: Math.min(AT_A_TIME, count - sessions.length) }, () =>
        startSession(world, subject, how, context),
      ),
    );
    for (const one of batch) {
      if (!one) return null;
      sessions.push(one);
    }
  }
  return sessions;
}
