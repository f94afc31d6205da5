import {
  endOfUsers,
  foldsCase,
  hasSearchIndex,
  patternsOf,
  searchUsers,
  searchUsersByIndex,
} from '../store/user-search.ts';
import { pageOfUsers, type UserRecord } from '../store/users.ts';
import type { World } from '../world/world.ts';

/** The users to look at first: common texts are found among them. */
const FIRST = 10_000;
/** The users to look at next; the caller may have gone between two such steps. */
const CHUNK = 100_000;
const AT_A_TIME = 2;
const MOST_MS = 8000;
/** The shortest text that a trigram index can find. */
const INDEXED_FROM = 3;

/** The caller has gone, or the search took too long. */
export class SearchStopped extends Error {
  override name = 'SearchStopped';
}

/**
 * Finds users whose address or name contains the text, by id, from the one after `after`.
 * @param signal aborted when the caller has gone
 * @throws SearchStopped
 */
export async function findUsers(
  world: Pick<World, 'database' | 'system'>,
  text: string | null,
  after: number,
  limit: number,
  signal?: AbortSignal,
): Promise<UserRecord[]> {
  const { database, system } = world;
  if (text === null || text === '') return pageOfUsers(database, after, limit);
  const untilMs = system.monotonicMs() + MOST_MS;
  const goOn = (): void => {
    if (signal?.aborted) throw new SearchStopped('the caller has disconnected');
    if (system.monotonicMs() >= untilMs) throw new SearchStopped('the search took too long');
  };

  const isPlain = !/[^ -~]/.test(text);
  const patterns = patternsOf(text, isPlain || (await foldsCase(database)));
  let from: number | null = await endOfUsers(database, after, FIRST);
  const found = await searchUsers(database, patterns, after, from, limit);
  if (
    from !== null &&
    found.length < limit &&
    text.length >= INDEXED_FROM &&
    (await hasSearchIndex(database))
  ) {
    goOn();
    return [...found, ...(await searchUsersByIndex(database, patterns, from, limit - found.length))];
  }
  const running: Promise<UserRecord[]>[] = [];
  while (found.length < limit) {
    goOn();
    while (from !== null && running.length < AT_A_TIME) {
      const upTo: number | null = await endOfUsers(database, from, CHUNK);
      const chunk = searchUsers(database, patterns, from, upTo, limit);
      // Awaited below, or not at all when enough was found before.
      chunk.catch(() => undefined);
      running.push(chunk);
      from = upTo;
    }
    const next = running.shift();
    if (!next) break;
    found.push(...(await next));
  }
  return found.slice(0, limit);
}
