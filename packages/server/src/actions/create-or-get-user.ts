import type { ExternalId } from '../domain/session.ts';
import { findUserOf, type UserRecord } from '../store/users.ts';
import { createUser } from './change-user.ts';
import { Denied } from './denied.ts';
import type { RequestContext, World } from '../world/world.ts';

/** The user of another system, whom Curfew knows already or creates. */
type Found = { outcome: 'found' | 'created'; user: UserRecord } | { outcome: 'taken' };

/**
 * Returns the user whom another system knows by an id, and creates the account if there is none. An existing account stays as it
 * is. `taken`: another user has the e-mail address. Curfew does not link the two, because a person with an account at another system
 * would get this user's account.
 * @throws Denied beyond the caller's reach
 */
export async function createOrGetUser(
  world: World,
  external: ExternalId,
  user: Parameters<typeof createUser>[1],
  changer: Parameters<typeof createUser>[2],
  context: RequestContext,
): Promise<Found> {
  const known = await findUserOf(world.database, external);
  if (known) return { outcome: 'found', user: known };
  if (!changer.reach.users) throw new Denied('insufficient_scope', 'users');
  const made = await createUser(world, { ...user, external }, changer, context);
  if (made) return { outcome: 'created', user: made };
  // Another caller has created it in between; or the address is taken.
  const other = await findUserOf(world.database, external);
  return other ? { outcome: 'found', user: other } : { outcome: 'taken' };
}
