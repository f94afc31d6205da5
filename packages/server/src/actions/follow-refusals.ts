import type { EventFilter } from '../store/log/page.ts';
import { isWanted, readRefusalsSince, type RefusalRow } from '../store/refusals.ts';
import { type ShownEvent, shownRefusal } from './read-log.ts';
import type { World } from '../world/world.ts';

const MOST = 1000;
/** Refusals are read less often than events: each read serves all their readers. */
const LOOK_MS = 1000;

/**
 * Follows refusals from now on. A row comes again when its count has grown.
 * @returns the new ones since the last call; none if that was a moment ago
 */
export function followRefusals(
  { database, system }: Pick<World, 'database' | 'system'>,
  filter: EventFilter,
): () => Promise<ShownEvent[]> {
  let since: string | null = null;
  let lookedMs = Number.NEGATIVE_INFINITY;
  /** The counts already returned of rows that may be read again. */
  let given = new Map<number, number>();
  return async () => {
    if (filter.refused === false || system.monotonicMs() - lookedMs < LOOK_MS) return [];
    if (since === null) {
      ({ since } = await readRefusalsSince(database, null, 0));
      given = countsOf(await readRefusalsSince(database, since, MOST));
      return [];
    }
    lookedMs = system.monotonicMs();
    const read = await readRefusalsSince(database, since, MOST);
    ({ since } = read);
    const news = read.rows.filter(({ position, count }) => given.get(position) !== count);
    given = countsOf(read);
    return news.filter((row) => isWanted(row, filter)).map(shownRefusal);
  };
}

const countsOf = ({ rows }: { rows: RefusalRow[] }): Map<number, number> =>
  new Map(rows.map(({ position, count }) => [position, count]));
