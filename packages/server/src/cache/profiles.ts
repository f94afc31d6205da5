import type { LiveSession } from '../domain/session.ts';
import type { RedisCopies } from './redis.ts';

/** The cached copies of contract 001, by what they hold. The keys' names are the contract's. */
export type CopyKind = 'user' | 'user_profile' | 'user_workspace';

/**
 * A copy says which session it was made for and which version of the user it shows. It is served only to a session
 * born no later than that and while the version stands: what was cached before a logout can never be served to a
 * session that began after it, whatever Redis has forgotten to forget.
 */
interface Copy<T> {
  born: number;
  version: number;
  value: T;
}

/** Reads through the cache; without Redis, or with one that does not answer, from the database. */
export async function readThrough<T>(
  redis: RedisCopies | null,
  kind: CopyKind,
  session: LiveSession,
  seconds: number,
  load: () => Promise<T>,
): Promise<T> {
  if (!redis) return load();
  const key = `${kind}:${session.userId}`;
  const cached = await redis.get(key).catch(() => null);
  const copy = cached === null ? null : parseCopy<T>(cached);
  if (copy && copy.born >= session.born && copy.version === session.user.profileVersion) return copy.value;
  const value = await load();
  const fresh: Copy<T> = { born: session.born, version: session.user.profileVersion, value };
  // Not waited for, and its failure was logged where it happened: the answer does not depend on the copy.
  void redis.set(key, JSON.stringify(fresh), seconds).catch(() => undefined);
  return value;
}

function parseCopy<T>(text: string): Copy<T> | null {
  try {
    const copy = JSON.parse(text) as Partial<Copy<T>> | null;
    if (typeof copy?.born !== 'number' || typeof copy.version !== 'number' || copy.value === undefined)
      return null;
    return copy as Copy<T>;
  } catch {
    return null;
  }
}
