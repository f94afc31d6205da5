import type { LogoutPreview } from '@curfew/protocol/wire/logout';
import { userActor } from '../domain/actor.ts';
import { clientWithin, type LiveSession } from '../domain/session.ts';
import type { Credential } from '../domain/credentials.ts';
import { authenticate } from './authenticate.ts';
import { askForRecentLogin } from './confirm-login.ts';
import { endNamed } from './end-named.ts';
import { cut, type CutTarget } from '../store/revoke-scope.ts';
import { DatabaseError } from '../store/database.ts';
import { revokeDeviceSessions } from '../store/revoke-sessions.ts';
import type { Act } from '../store/act.ts';
import { findSession } from '../store/live-session.ts';
import { previewEnding } from './preview-ending.ts';
import { type Settled, answered, settle, settlePartly, type WaitFor } from './settle.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';

/** The sessions that a user can end, all of them the user's own. */
export type LogoutScope =
  | { scope: 'this' }
  | { scope: 'others' }
  | { scope: 'all' }
  | { scope: 'selected'; sessions: string[] }
  /** The sessions on one device; by default the caller's. */
  | { scope: 'device'; device?: string | undefined };

interface LogoutTerms {
  wait?: WaitFor | undefined;
  /** Whether the caller can be asked for the password again: the four contracts have no answer for that. */
  mayAsk?: boolean;
}

/**
 * Ends sessions of the caller. Answers after the commit, and with `wait: "replicas"` after confirmation. A database that does not
 * answer throws, so that no failed logout looks like a success.
 */
export async function logOut(
  world: World,
  session: LiveSession,
  target: LogoutScope,
  context: RequestContext,
  { wait = 'replicas', mayAsk = false }: LogoutTerms = {},
): Promise<Settled> {
  if (mayAsk && reachesFurther(session, target)) await askForRecentLogin(world, session.sid);
  const act = actOf(world, context, userActor(session.userId, session.sid));
  if (target.scope === 'this') return endThis(world, session, act, wait);
  const { userId } = session;
  const clientId = clientWithin(session);
  if (target.scope === 'selected')
    return endNamed(world, target.sessions, { userId, clientId }, act, 'logout', wait);
  if (target.scope === 'device' && clientId !== null) {
    const deviceId = target.device ?? session.deviceId;
    const ending = await revokeDeviceSessions(world.database, deviceId, { userId, clientId }, act, 'logout');
    return settlePartly(world, ending, wait);
  }
  return settle(world, await cut(world.database, cutOf(session, target), act, 'logout'), wait);
}

/** Whether it may end another session than the caller's. */
function reachesFurther({ sid }: LiveSession, target: LogoutScope): boolean {
  if (target.scope === 'selected') return target.sessions.some((one) => one.toLowerCase() !== sid);
  return target.scope !== 'this';
}

/** Whether it ends the caller's session. */
export function endsItself({ sid, deviceId }: LiveSession, target: LogoutScope): boolean {
  switch (target.scope) {
    case 'this':
    case 'all':
      return true;
    case 'others':
      return false;
    case 'selected':
      return target.sessions.includes(sid);
    case 'device':
      return (target.device ?? deviceId) === deviceId;
  }
}

/** Counts the sessions that it would end. */
export function previewLogOut(
  world: World,
  session: LiveSession,
  target: LogoutScope,
): Promise<LogoutPreview> {
  const { userId, sid } = session;
  const within = { userId, clientId: clientWithin(session) };
  switch (target.scope) {
    case 'this':
      return previewEnding(world, { scope: 'sessions', sids: [sid] }, within);
    case 'selected':
      return previewEnding(world, { scope: 'sessions', sids: target.sessions }, within);
    default:
      return previewEnding(world, cutOf(session, target), within);
  }
}

/** Ends one session; those that end at the same time share commit and confirmation. */
export async function endThis(
  world: World,
  { sid, userId }: { sid: string; userId: number },
  act: Act,
  wait: WaitFor,
): Promise<Settled> {
  const { epoch } = world.nodes.node;
  const pending = await world.endOne({ sid, userId, act, reason: 'logout' });
  if (pending) return answered(pending.ending, wait, pending.confirming);
  // The credential was found alive, so the session existed. Rows outlive credentials: a missing one was lost with its database.
  if ((await findSession(world.database, act.at, sid)) === 'unknown') {
    // Unless that was noticed meanwhile.
    if (epoch === world.nodes.node.epoch) world.nodes.foundBack();
    throw new DatabaseError('the database went back in time and lost the session to be ended');
  }
  return settlePartly(world, null, wait);
}

function cutOf(
  session: LiveSession,
  target: Exclude<LogoutScope, { scope: 'this' | 'selected' }>,
): CutTarget {
  const { userId, sid, deviceId } = session;
  const clientId = clientWithin(session);
  switch (target.scope) {
    case 'all':
      return clientId === null ? { scope: 'user', userId } : { scope: 'grant', userId, clientId };
    case 'others':
      return clientId === null
        ? { scope: 'others', userId, exceptSession: sid }
        : { scope: 'grant', userId, clientId, exceptSession: sid };
    case 'device':
      return { scope: 'device', userId, deviceId: target.device ?? deviceId };
  }
}

/**
 * Contract 002: ends the session of a token, if it is the named user's. One that is unknown, over or another user's counts as
 * none ended, and is answered as late as any: a node may still hold it for alive.
 */
export async function logOutByToken(
  world: World,
  credential: Credential,
  userId: number,
  context: RequestContext,
): Promise<Settled> {
  const session = await authenticate(world, credential, false);
  if (session?.userId !== userId) return settlePartly(world, null, 'replicas');
  return endThis(world, session, actOf(world, context, userActor(userId, session.sid)), 'replicas');
}
