import type { Kept } from './kept.ts';
import { pause } from './pause.ts';

/** Shorter than the time for which the server gives a spent refresh token's successor again (10 s unless set otherwise). */
const LEASE_MS = 6000;
/** Longer than it takes until another tab sees what was written. */
const SETTLE_MS = 40;

/** Longer than any tab needs to see in localStorage what another one has written there. */
const MARKED_MS = 3000;

/** Does one thing at a time, of all tabs. */
export function exclusively<T>(kept: Kept, name: string, work: () => Promise<T>): Promise<T> {
  if (kept.locks) return kept.locks.request(kept.prefix + name, work) as Promise<T>;
  return kept.isShared ? leased(kept, name, work) : work();
}

/**
 * The same where there are no Web Locks (a page that is not on https): who has written their name and still finds it a
 * moment later may go. That is not proof: in a rare case two go at once. The server forgives that, for `LEASE_MS` and more.
 */
async function leased<T>(kept: Kept, name: string, work: () => Promise<T>): Promise<T> {
  const lease = `lease:${name}`;
  const me = String(Math.random());
  const isMine = (): boolean | undefined => kept.get(lease)?.endsWith(me);
  for (;;) {
    const left = parseFloat(kept.get(lease) ?? '0') - Date.now();
    // More than a lease can have left: the clock was set back.
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
 * Says to all tabs that something is done with. A lock is used as a mark: locks are the same for all tabs at every moment,
 * and localStorage is not, since each process of a browser has a copy of its own.
 */
export function mark(kept: Kept, name: string): void {
  // Held by this tab for a while, and by nobody when the tab goes away.
  void kept.locks?.request(kept.prefix + name, () => pause(MARKED_MS));
}

export async function isMarked(kept: Kept, name: string): Promise<boolean> {
  const locks = await kept.locks?.query();
  return locks?.held?.some((lock) => lock.name === kept.prefix + name) === true;
}
