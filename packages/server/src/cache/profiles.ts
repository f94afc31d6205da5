import { type Authenticator, seal, unseal } from '@curfew/protocol/sealed';
import type { LiveSession } from '../domain/session.ts';
import type { SessionMemory } from '../cluster/memory/session-memory.ts';
import type { RedisCopies } from './redis.ts';

/** The cached copies of contract 001, by what they hold. The keys' names are the contract's. */
type CopyKind = 'user' | 'user_profile' | 'user_workspace';

/**
 * A copy says which session it was made for and which version of the user it shows. It is served only to a session
 * born no later than that and while the version stands: what was cached before a logout can never be served to a
 * session that began after it, whatever Redis has forgotten to forget. It carries a MAC over its key and all that it says:
 * others can write to Redis, and what they write or move there is not served.
 */
interface Copy<T> {
  born: number;
  version: number;
  value: T;
}

/** Where the copies are, and who knows what has ended meanwhile. */
export interface Copies {
  redis: RedisCopies | null;
  memory: SessionMemory;
  seconds: number;
  authenticator: Authenticator;
  /** Copies that were there and not believed. */
  refused: number;
}

/** Reads through the cache; without Redis, or with one that does not answer, from the database. */
export async function readThrough<T>(
  copies: Copies,
  kind: CopyKind,
  session: LiveSession,
  load: () => Promise<T>,
): Promise<T> {
  const { redis, memory, seconds, authenticator } = copies;
  if (!redis) return load();
  const key = `${kind}:${session.userId}`;
  const mark = memory.mark;
  const cached = await redis.get(key).catch(() => null);
  const copy = cached === null ? null : readCopy<T>(cached, key, authenticator);
  if (cached !== null && copy === null) copies.refused++;
  if (copy && copy.born >= session.born && copy.version === session.user.profileVersion) return copy.value;
  const value = await load();
  const fresh: Copy<T> = { born: session.born, version: session.user.profileVersion, value };
  // Not waited for, and a failure is said where it happens: the answer does not depend on the copy.
  const text = seal(JSON.stringify(fresh), key, authenticator);
  keep(redis, key, text, seconds, () => memory.isOutdated(session, mark)).catch(() => undefined);
  return value;
}

/** A logout may evict between the reading and the writing: then the copy came too late, and goes again. */
async function keep(
  redis: RedisCopies,
  key: string,
  text: string,
  seconds: number,
  isOutdated: () => boolean,
): Promise<void> {
  await redis.set(key, text, seconds);
  if (isOutdated()) await redis.remove([key]);
}

/** Only a node of this installation can have signed it, so what it says needs no look. */
function readCopy<T>(text: string, key: string, authenticator: Authenticator): Copy<T> | null {
  const json = unseal(text, key, authenticator);
  return json === null ? null : (JSON.parse(json) as Copy<T>);
}
