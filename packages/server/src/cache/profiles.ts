import { type Authenticator, seal, unseal } from '@curfew/protocol/sealed';
import type { LiveSession } from '../domain/session.ts';
import type { SessionMemory } from '../cluster/memory/session-memory.ts';
import type { RedisCopies } from './redis.ts';

/** The cached copies of contract 001. The keys' names are the contract's. */
type CopyKind = 'user' | 'user_profile' | 'user_workspace';

/**
 * A copy names the session it was made for and the version of the user it shows. It is served only to a session born no later,
 * while the version is current: a copy from before a logout is never served to a session that began after it, even if Redis kept
 * it. A MAC over the key and the copy protects both, because others can write to Redis.
 */
interface Copy<T> {
  born: number;
  version: number;
  value: T;
}

/** Redis, and the memory that knows later endings. */
export interface Copies {
  redis: RedisCopies | null;
  memory: SessionMemory;
  seconds: number;
  authenticator: Authenticator;
  /** Copies that were found and rejected. */
  refused: number;
}

/** Reads through the cache; without Redis, or when it does not answer, from the database. */
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
  // Not awaited; failures are logged in there. The answer does not depend on the copy.
  const text = seal(JSON.stringify(fresh), key, authenticator);
  keep(redis, key, text, seconds, () => memory.isOutdated(session, mark)).catch(() => undefined);
  return value;
}

/** A logout may evict between the read and the write: then this copy came too late, and is removed. */
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

/** Signed by a node of this installation, so its shape needs no check. */
function readCopy<T>(text: string, key: string, authenticator: Authenticator): Copy<T> | null {
  const json = unseal(text, key, authenticator);
  return json === null ? null : (JSON.parse(json) as Copy<T>);
}
