import type { Kept } from './kept.ts';
import { pause } from './pause.ts';

/** Shorter than the time for which the server gives a spent refresh token's successor again (10 s unless set otherwise). */
const LEASE_MS = 6000;
/** Longer than it takes until another tab sees what was written. */
const SETTLE_MS = 40;

/** Longer than any tab needs to see in localStorage what another one has written there. */
const MARKED_MS = 3000;

/** Web Locks, where there are any. */
export const webLocks = (): LockManager | undefined =>
  (globalThis.navigator as Partial<Navigator> | undefined)?.locks;

/** Does one thing at a time, of all tabs. */
export function exclusively<T>(kept: Kept, name: string, work: () => Promise<T>): Promise<T> {
  const locks = webLocks();
  return locks ? (locks.request(kept.prefix + name, work) as Promise<T>) : leased(kept, name, work);
}

/**
 * The same where there are no Web Locks (a page that is not on https): who has written their name and still finds it a
 * moment later may go. That is not proof: in a rare case two go at once. The server forgives that, for `LEASE_MS` and more.
 */
async function leased<T>(kept: Kept, name: string, work: () => Promise<T>): Promise<T> {
  const lease = `lease:${name}`;
  const me = String(Math.random());
  for (;;) {
    const left = Number(kept.get(lease)?.split(' ')[1] ?? 0) - Date.now();
    // More than a lease can have left: the clock was set back.
    if (left <= 0 || left > LEASE_MS) {
      kept.set(lease, `${me} ${Date.now() + LEASE_MS}`);
      await pause(SETTLE_MS * (1 + Math.random()));
      if (kept.get(lease)?.startsWith(me)) break;
    } else await pause(SETTLE_MS * Math.random());
  }
  try {
    return await work();
  } finally {
    if (kept.get(lease)?.startsWith(me)) kept.set(lease, null);
  }
}

/**
 * Says to all tabs that something is done with. A lock is used as a mark: locks are the same for all tabs at every moment,
 * and localStorage is not, since each process of a browser has a copy of its own.
 */
export function mark(kept: Kept, name: string): void {
  // Held by this tab for a while, and by nobody when the tab goes away.
  void webLocks()?.request(kept.prefix + name, () => pause(MARKED_MS));
}

export async function isMarked(kept: Kept, name: string): Promise<boolean> {
  const { held } = (await webLocks()?.query()) ?? {};
  return held?.some((lock) => lock.name === kept.prefix + name) ?? false;
}
