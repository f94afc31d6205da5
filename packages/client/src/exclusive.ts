import type { Kept } from './kept.ts';
import { pause } from './pause.ts';

/** Shorter than the time in which the server repeats the successor of a spent refresh token (10 s by default). */
const LEASE_MS = 6000;
/** Longer than another tab needs to see a write. */
const SETTLE_MS = 40;

/** Longer than any tab needs to see another tab's write to localStorage. */
const MARKED_MS = 3000;

/** Runs one piece of work at a time, across all tabs. */
export function exclusively<T>(kept: Kept, name: string, work: () => Promise<T>): Promise<T> {
  if (kept.locks) return kept.locks.request(kept.prefix + name, work) as Promise<T>;
  return kept.isShared ? leased(kept, name, work) : work();
}

/**
 * Does so without Web Locks (a page without https): a tab writes its name, and may go if it still finds it a moment later. In
 * rare cases two go at once, which the server forgives for `LEASE_MS` and more.
 */
async function leased<T>(kept: Kept, name: string, work: () => Promise<T>): Promise<T> {
  const lease = `lease:${name}`;
  const me = String(Math.random());
  const isMine = (): boolean | undefined => kept.get(lease)?.endsWith(me);
  for (;;) {
    const left = parseFloat(kept.get(lease) ?? '0') - Date.now();
    // Longer than a lease lasts: the clock was set back.
    if (left <= 0 || left > LEASE_MS) {
      kept.set(lease, `${Date.now() + LEASE_MS} ${me}`);
      await pause(SETTLE_MS * (1 + Math.random()));
      if (isMine()) break;
    } else await pause(SETTLE_MS * Math.random());
  }
  try {
    return await work();
  } finally {
    if (isMine()) kept.set(lease, null);
  }
}

/**
 * Marks something as done for all tabs. The mark is a lock: all tabs see the same locks at every moment, but localStorage is
 * copied to each process of a browser.
 */
export function mark(kept: Kept, name: string): void {
  // This tab holds it for a while; a closed tab releases it.
  void kept.locks?.request(kept.prefix + name, () => pause(MARKED_MS));
}

export async function isMarked(kept: Kept, name: string): Promise<boolean> {
  const locks = await kept.locks?.query();
  return locks?.held?.some((lock) => lock.name === kept.prefix + name) === true;
}
