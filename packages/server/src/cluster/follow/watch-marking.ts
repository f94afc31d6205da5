import type { CutTarget } from '../../store/revoke-scope.ts';
import { countUnmarked } from '../../store/marking.ts';
import { pauseFor } from '../../system/timers.ts';
import type { System } from '../../system/system.ts';
import type { Database } from '../../store/database.ts';
import { marker } from './marker.ts';
import type { Readers } from './registry.ts';

const LOOK_MS = 200;
/** Rows that stay unmarked this long are locked, or another process marks them. */
const STANDSTILL_MS = 10_000;

/**
 * Marks the rows of a new cut, and reports how many are left until there are none. The sessions are over already: this is for
 * readers of the table.
 */
export async function watchMarking(
  { database, system, readers }: { database: Database; system: System; readers: Readers },
  target: CutTarget,
  onLeft: (left: number) => void,
): Promise<void> {
  let left = await countUnmarked(database, target);
  let movedMs = system.monotonicMs();
  onLeft(left);
  let marking = true;
  const work = readers.catchUp(marker).finally(() => (marking = false));
  // Awaited at the end; until then a failure must not count as unhandled.
  work.catch(() => undefined);
  while (left > 0 && (marking || system.monotonicMs() - movedMs < STANDSTILL_MS)) {
    await pauseFor(system, LOOK_MS);
    const now = await countUnmarked(database, target);
    if (now !== left) {
      left = now;
      movedMs = system.monotonicMs();
      onLeft(left);
    }
  }
  await work;
}
