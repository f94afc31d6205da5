import type { Propagation } from '@curfew/protocol/node';
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

/**
 * What follows every ending, after its commit: this process's memory at once, the other nodes, and the readers of the
 * log, which nobody waits for.
 */
export async function settle(world: World, ending: Ending, wait: Wait): Promise<Settled> {
  world.nodes.committed(ending);
  return settleTold(world, ending, wait, world.nodes.confirm(ending));
}

/** The same for an ending that the nodes have been told of already, together with others. */
export async function settleTold(
  world: World,
  ending: Ending,
  wait: Wait,
  confirming: Promise<Propagation>,
): Promise<Settled> {
  const { audit, marker, evictor } = world.readers;
  for (const reader of [audit, evictor, ending.more ? marker : null]) reader?.soon();
  const facts = { ended: ending.count, more: ending.more };
  if (wait === 'none') {
    // It goes on, and is counted; the caller did not want to hear how it went.
    confirming.catch(() => undefined);
    return { ...facts, confirmed: false, acknowledged: 0, waitedOut: 0 };
  }
  return { ...facts, confirmed: true, ...(await confirming) };
}

/**
 * What follows an ending that found a part of what it named over already, or all of it (null). Somebody else was faster,
 * at this node or at another, and may not be through with telling everybody; this node may not know either. What is
 * answered here has to be true everywhere all the same, so the log is read first.
 */
export async function settlePartly(world: World, ending: Ending | null, wait: Wait): Promise<Settled> {
  if (ending) {
    if (wait === 'none') return settle(world, ending, wait);
    world.nodes.committed(ending);
    return settleTold(world, ending, wait, world.nodes.confirmEarlier());
  }
  const nothing = { ended: 0, more: false };
  if (wait === 'none') return { ...nothing, confirmed: false, acknowledged: 0, waitedOut: 0 };
  return { ...nothing, confirmed: true, ...(await world.nodes.confirmEarlier()) };
}
