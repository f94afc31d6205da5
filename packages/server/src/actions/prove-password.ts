import { opaqueString, spellingsOf } from '../domain/password.ts';
import { Overloaded } from '../system/password-hashing.ts';
import { replacePasswordHash } from '../store/users.ts';
import type { World } from '../world/world.ts';

/** The account whose password is verified; null where there is none. */
interface Provable {
  id: number;
  passwordHash: string | null;
}

/**
 * Verifies a password in the spelling that is hashed now, or in the one that earlier versions hashed. Where the two differ both
 * are always tried, also for an unknown account, so that the time tells nothing. An old hash is replaced.
 */
export async function provePassword(
  { database, system }: World,
  account: Provable | null,
  password: string,
): Promise<boolean> {
  const stored = account?.passwordHash ?? null;
  const matches: boolean[] = [];
  for (const spelling of spellingsOf(password)) matches.push(await system.passwords.verify(stored, spelling));
  const [matchesNow = false, matchesBefore = false] = matches;
  if (account && stored !== null && matchesBefore && !matchesNow) {
    try {
      const hash = await system.passwords.hash(opaqueString(password));
      await replacePasswordHash(database, account.id, stored, hash);
    } catch (err) {
      // The old hash remains valid; the next login replaces it.
      if (!(err instanceof Overloaded))
        system.log.warn({ err, user_id: account.id }, 'could not replace a password hash');
    }
  }
  return matchesNow || matchesBefore;
}
