import { userActor } from '../domain/actor.ts';
import type { Reach } from '../domain/api-key.ts';
import { composed } from '../domain/email-address.ts';
import { opaqueString } from '../domain/password.ts';
import type { EndReason, ExternalId, LiveSession, Role } from '../domain/session.ts';
import { append } from '../store/log/append.ts';
import { type CutTarget, cut } from '../store/revoke-scope.ts';
import { eventOf, type Revocation } from '../store/revocation.ts';
import type { Act } from '../store/act.ts';
import type { Queryable } from '../store/statement.ts';
import {
  eraseUser,
  findPassword,
  insertUser,
  isLastAdministrator,
  type NewUser,
  type UserChange,
  type UserRecord,
  updateUser,
} from '../store/users.ts';
import { isUniqueViolation } from '../store/database.ts';
import { askForRecentLogin } from './confirm-login.ts';
import { Denied } from './denied.ts';
import { provePassword } from './prove-password.ts';
import { replaceAll, SessionOver } from './renew-session.ts';
import { settle, settlePartly } from './settle.ts';
import type { StartedSession } from './start-session.ts';
import { usersWithin } from './users-of-client.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';

/** The actor of a change, and the session that survives it when the user is the actor. */
interface Changer {
  actor: string;
  sid: string | null;
  userId: number | null;
  reach: Reach;
  /** Allows a change that leaves no administrator. */
  confirmsLast?: boolean | undefined;
}

/** Another user has this external id. */
export class ExternalIdTaken extends Error {
  override name = 'ExternalIdTaken';
}

/** @throws Denied when the user is the last administrator, and it was not confirmed */
async function keepAdministrator(on: Queryable, userId: number, changer: Changer): Promise<void> {
  // A key below `admin` is refused by keepReach. Another answer here would tell it who the last administrator is.
  if (!changer.reach.admins) return;
  if (!changer.confirmsLast && (await isLastAdministrator(on, userId)))
    throw new Denied('last_administrator');
}

/**
 * Holds a change to the caller's reach: no key below `admin` touches an administrator or makes one, and a client's key ends no
 * session by a change, because the user's sessions with other clients would end too.
 * @throws Denied
 */
function keepReach({ reach }: Changer, roles: readonly Role[], ending: EndReason | null): void {
  if (!reach.admins && roles.includes('admin')) throw new Denied('insufficient_scope', 'admin');
  if (reach.clientId !== null && ending !== null) throw new Denied('insufficient_scope');
}

/** Creates a user; null when the address or the external id is taken. @throws Denied beyond the caller's reach */
export async function createUser(
  world: World,
  user: {
    email: string;
    name: string;
    password: string | null;
    role: Role;
    workspace: string;
    external?: ExternalId;
  },
  changer: Changer,
  context: RequestContext,
): Promise<UserRecord | null> {
  const { database, system } = world;
  keepReach(changer, [user.role], null);
  await askForRecentLogin(world, changer.sid);
  const passwordHash =
    user.password === null ? null : await system.passwords.hash(opaqueString(user.password));
  const createdByClient = changer.reach.clientId;
  const record: NewUser = { ...user, email: composed(user.email), passwordHash, createdByClient };
  const act = actOf(world, context, changer.actor);
  try {
    return await database.transaction(async (on) => {
      const made = await insertUser(on, record, act.at);
      await append(on, { type: 'user_created', userId: made.id, details: { role: made.role } }, act);
      return made;
    });
  } catch (error) {
    if (isUniqueViolation(error)) return null;
    throw error;
  }
}

/**
 * Changes a user and ends sessions in one transaction: disabling ends all of them, a new role or password the others. Null when
 * there is no such user.
 *
 * The row is locked before the cut's position is drawn, so a concurrent login comes either wholly before the change, and is
 * ended, or wholly after it, and sees it.
 * @throws ExternalIdTaken
 */
export async function changeUser(
  world: World,
  userId: number,
  change: {
    name?: string | undefined;
    workspace?: string | undefined;
    role?: Role | undefined;
    disabled?: boolean | undefined;
    external?: ExternalId | null | undefined;
  },
  changer: Changer,
  context: RequestContext,
): Promise<UserRecord | null> {
  // An external id that one application gives would decide whom the others' back ends log in; and who may log in is theirs, too.
  const isOfAll = [change.external, change.disabled, change.role].some((value) => value !== undefined);
  if (isOfAll && changer.reach.clientId !== null) throw new Denied('insufficient_scope');
  await askForRecentLogin(world, changer.sid);
  const changing = applyChange(world, userId, change, changer, context, (before, after) => {
    if (after.disabled_at !== null && !before.disabled) return 'user_disabled';
    return after.role === before.role ? null : 'role_changed';
  });
  return changing.catch((error: unknown) => {
    throw isUniqueViolation(error) ? new ExternalIdTaken('the external id is another user’s') : error;
  });
}

/** A reset by an administrator or operator. Null when there is no such user. */
export async function resetPassword(
  world: World,
  userId: number,
  password: string,
  changer: Changer,
  context: RequestContext,
): Promise<UserRecord | null> {
  await askForRecentLogin(world, changer.sid);
  const passwordHash = await world.system.passwords.hash(opaqueString(password));
  return applyChange(world, userId, { passwordHash }, changer, context, () => 'password_reset');
}

/** The user's own change, with the current password: it ends every session, and a new one replaces this one. */
export async function changePassword(
  world: World,
  session: LiveSession,
  current: string,
  next: string,
  context: RequestContext,
): Promise<StartedSession | 'wrong_password' | 'ended'> {
  const { system, database } = world;
  const { userId, sid } = session;
  const stored = await findPassword(database, userId);
  const account = stored && { id: userId, passwordHash: stored.passwordHash };
  if (!(await provePassword(world, account, current)) || !stored) return 'wrong_password';
  const passwordHash = await system.passwords.hash(opaqueString(next));
  const act = actOf(world, context, userActor(userId, sid));
  const change: UserChange = { passwordHash, ifCredentialVersion: stored.credentialVersion };
  try {
    const changed = await database.transaction(async (on) => {
      if (!(await updateUser(on, userId, change, act.at, null))) return null;
      return await replaceAll(world, on, session, act);
    }, 'ending');
    // The password was changed in between: the verified one is not the current one.
    if (!changed) return 'wrong_password';
    // In this order: the caller's device is told that its session was renewed.
    await Promise.all(changed.endings.map((ending) => settle(world, ending, 'replicas')));
    changed.begun();
    return changed.started;
  } catch (error) {
    if (error instanceof SessionOver) return 'ended';
    throw error;
  }
}

/** Deletes a user and ends every session. False when there is none. */
export async function removeUser(
  world: World,
  userId: number,
  changer: Changer,
  context: RequestContext,
): Promise<boolean> {
  await askForRecentLogin(world, changer.sid);
  const act = actOf(world, context, changer.actor);
  const ending = await world.database.transaction(async (on) => {
    await keepAdministrator(on, userId, changer);
    const deleted = await eraseUser(on, userId, act.at);
    if (!deleted) return null;
    keepReach(changer, [deleted.role], 'user_deleted');
    return cut(on, { scope: 'user', userId }, act, 'user_deleted');
  }, 'ending');
  // Deleted already, perhaps a moment ago by another caller.
  if (!ending) await settlePartly(world, null, 'replicas');
  else await settle(world, ending, 'replicas');
  return ending !== null;
}

async function applyChange(
  world: World,
  userId: number,
  change: UserChange,
  changer: Changer,
  context: RequestContext,
  reasonOf: (before: { role: Role; disabled: boolean }, after: UserRecord) => EndReason | null,
): Promise<UserRecord | null> {
  const act = actOf(world, context, changer.actor);
  const outcome = await world.database.transaction(async (on) => {
    if (change.role === 'user' || change.disabled) await keepAdministrator(on, userId, changer);
    const row = await updateUser(on, userId, change, act.at, usersWithin(world, changer.reach));
    if (!row) return null;
    const { role_before, disabled_before, ...user } = row;
    const reason = reasonOf({ role: role_before, disabled: disabled_before }, user);
    keepReach(changer, [role_before, user.role], reason);
    const ending = reason ? await endForChange(on, userId, reason, changer, act) : null;
    const position = ending?.event.position ?? (await appendChange(on, userId, change, act));
    return { user, ending, position };
  }, 'ending');
  if (!outcome) {
    await settlePartly(world, null, 'replicas');
    return null;
  }
  if (outcome.ending) await settle(world, outcome.ending, 'replicas');
  else await settleChange(world, userId, outcome.position, act);
  return outcome.user;
}

function endForChange(
  on: Queryable,
  userId: number,
  reason: EndReason,
  changer: Changer,
  act: Act,
): Promise<Revocation> {
  const spared = reason !== 'user_disabled' && changer.userId === userId ? changer.sid : null;
  const target: CutTarget =
    spared === null ? { scope: 'user', userId } : { scope: 'others', userId, exceptSession: spared };
  return cut(on, target, act, reason);
}

function appendChange(on: Queryable, userId: number, change: UserChange, act: Act): Promise<number> {
  const fields = Object.entries(change)
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  return append(on, { type: 'user_changed', userId, details: { fields } }, act);
}

/**
 * Announces a change that ends no session: cached data of the user is old. It may repeat what another caller has just done, which
 * ended sessions then: an account that is disabled already, a role that the user has.
 */
async function settleChange(world: World, userId: number, position: number, act: Act): Promise<void> {
  const event = eventOf(act, { type: 'user_changed', position, user_id: userId });
  await settlePartly(world, { event, ended: [], count: 0, more: false }, 'replicas');
}
