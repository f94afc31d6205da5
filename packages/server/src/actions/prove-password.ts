import { opaqueString, spellingsOf } from '../domain/password.ts';
import { Overloaded } from '../system/passwords.ts';
import { replacePasswordHash } from '../store/users.ts';
import type { World } from '../world/world.ts';

/** The account whose password is to be proved; null where there is none. */
interface Provable {
  id: number;
  passwordHash: string | null;
}

/**
 * Whether this is the account's password, in the spelling that is hashed now or in the one that was hashed before. Where
 * the two differ both are always tried, for an unknown account too, so that the time tells neither which one it was nor
 * whether there is an account. A hash of the old kind is replaced.
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
      // The old hash is as good as it was. The next login replaces it.
      if (!(err instanceof Overloaded))
        system.log.warn({ err, user_id: account.id }, 'a password hash was not replaced');
    }
  }
  return matchesNow || matchesBefore;
}
