import type { LiveSession } from '../domain/session.ts';
import type { Credential } from '../domain/tokens.ts';
import { authenticate } from './authenticate.ts';
import { cut, type Ending, endSessions } from '../store/revoke.ts';
import { type Settled, settle, settleNothing, type Wait } from './settle.ts';
import { actOf, type Origin, userActor, type World } from './world.ts';

/** What a logged-in user can end: all of it their own. */
export type LogoutScope =
  | { scope: 'this' }
  | { scope: 'others' }
  | { scope: 'all' }
  | { scope: 'selected'; sessions: string[] }
  /** The sessions on one device; without a name, on the device that asks. */
  | { scope: 'device'; device?: string | undefined };

/**
 * Ends sessions of the user who asks. Answers after the commit, and with `wait: "replicas"` when it is true everywhere.
 * A database that does not answer throws: nobody is told that they are logged out when they are not.
 */
export async function logOut(
  world: World,
  session: LiveSession,
  target: LogoutScope,
  origin: Origin,
  wait: Wait = 'replicas',
): Promise<Settled> {
  const ending = await endOwn(world, session, target, origin);
  return ending ? settle(world, ending, wait) : settleNothing(world, wait);
}

function endOwn(
  world: World,
  session: LiveSession,
  target: LogoutScope,
  origin: Origin,
): Promise<Ending | null> {
  const { database } = world;
  const { userId, sid } = session;
  const act = actOf(world, origin, userActor(userId));
  switch (target.scope) {
    case 'this':
      return world.endOne({ sid, userId, act, reason: 'logout' });
    case 'selected':
      return endSessions(database, target.sessions, userId, act, 'logout');
    case 'all':
      return cut(database, { scope: 'user', userId }, act, 'logout');
    case 'others':
      return cut(database, { scope: 'others', userId, exceptSession: sid }, act, 'logout');
    case 'device':
      return cut(
        database,
        { scope: 'device', userId, deviceId: target.device ?? session.deviceId },
        act,
        'logout',
      );
  }
}

/** Contract 002: ends the session that a token opens, if it is the user's that is named. Null: there is none. */
export async function logOutByToken(
  world: World,
  credential: Credential,
  userId: number,
  origin: Origin,
): Promise<Settled | null> {
  const session = await authenticate(world, credential, false);
  if (session?.userId !== userId) return null;
  const act = actOf(world, origin, userActor(userId));
  const ending = await world.endOne({ sid: session.sid, userId, act, reason: 'logout' });
  return ending ? settle(world, ending, 'replicas') : null;
}
