import type { Propagation } from '@curfew/protocol/node';
import { afterCommit } from '../cluster/endings/after-commit.ts';
import type { Revocation } from '../store/revocation.ts';
import type { World } from '../world/world.ts';

/** Whether the caller waits for confirmation, or only for the commit. */
export type WaitFor = 'replicas' | 'none';

/** The result of a logout for its caller. */
export interface Settled extends Propagation {
  /** The sessions that ended; with `more` at least this many, and rows are still to be marked. */
  ended: number;
  more: boolean;
  /** No node accepts a credential of an ended session any more. */
  confirmed: boolean;
}

/** Confirms an ending that was just committed. */
export function settle(world: World, ending: Revocation, wait: WaitFor): Promise<Settled> {
  return answered(ending, wait, afterCommit(world, [ending]));
}

/** Answers for an ending whose confirmation is under way. */
export async function answered(
  { count, more }: Pick<Revocation, 'count' | 'more'>,
  wait: WaitFor,
  confirming: Promise<Propagation>,
): Promise<Settled> {
  const facts = { ended: count, more };
  if (wait === 'replicas') return { ...facts, confirmed: true, ...(await confirming) };
  // The confirmation continues and is counted; the caller does not wait for it.
  confirming.catch(() => undefined);
  return { ...facts, confirmed: false, acknowledged: 0, waitedOut: 0 };
}

/**
 * Confirms an ending that found some of its sessions over already, or all (null). Another caller was faster, on this node or
 * another, and its confirmation may still be under way. So the log is read first.
 */
export async function settlePartly(world: World, ending: Revocation | null, wait: WaitFor): Promise<Settled> {
  if (ending) return answered(ending, wait, afterCommit(world, [ending], wait === 'none' ? 'all' : 'part'));
  if (wait === 'none') return { ended: 0, more: false, confirmed: false, acknowledged: 0, waitedOut: 0 };
  return answered({ count: 0, more: false }, wait, world.nodes.confirmEarlier());
}
