import type { Propagation } from '@curfew/protocol/node';
import { afterCommit } from '../cluster/endings/after-commit.ts';
import type { Ending } from '../store/revoke.ts';
import type { World } from '../world/world.ts';

/** Whether the caller waits until the ending is true everywhere, or only until it is committed. */
export type Wait = 'replicas' | 'none';

/** What the caller of a logout is told. */
export interface Settled extends Propagation {
  /** Sessions that were ended; at least this many when `more` is true, and rows are still to be marked. */
  ended: number;
  more: boolean;
  /** True when no node accepts any credential of an ended session any more. */
  confirmed: boolean;
}

/** Answers for an ending that has just been committed. */
export function settle(world: World, ending: Ending, wait: Wait): Promise<Settled> {
  return answered(ending, wait, afterCommit(world, [ending]));
}

/** The same where its confirmation is under way. */
export async function answered(
  { count, more }: Pick<Ending, 'count' | 'more'>,
  wait: Wait,
  confirming: Promise<Propagation>,
): Promise<Settled> {
  const facts = { ended: count, more };
  if (wait === 'replicas') return { ...facts, confirmed: true, ...(await confirming) };
  // It goes on, and is counted; the caller did not want to hear how it went.
  confirming.catch(() => undefined);
  return { ...facts, confirmed: false, acknowledged: 0, waitedOut: 0 };
}

/**
 * The same for an ending that found a part of what it named over already, or all of it (null). Somebody else was faster,
 * at this node or at another, and may not be through with telling everybody; this node may not know either. What is
 * answered here has to be true everywhere all the same, so the log is read first.
 */
export async function settlePartly(world: World, ending: Ending | null, wait: Wait): Promise<Settled> {
  if (ending) return answered(ending, wait, afterCommit(world, [ending], wait === 'none' ? 'all' : 'part'));
  if (wait === 'none') return { ended: 0, more: false, confirmed: false, acknowledged: 0, waitedOut: 0 };
  return answered({ count: 0, more: false }, wait, world.nodes.confirmEarlier());
}
