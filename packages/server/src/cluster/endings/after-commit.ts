import type { Propagation } from '@curfew/protocol/node';
import type { Ending } from '../../store/revoke.ts';
import type { Readers } from '../follow/registry.ts';
import type { Nodes } from '../nodes/nodes.ts';

/**
 * What follows every ending, after its commit and never before: this process's memory at once, all other replicas, and the
 * readers of the log, which nobody waits for. Endings that were committed together go together.
 * @param found `part` where somebody else had ended some of what was named: the log is read before anything is confirmed
 * @returns resolves when no replica accepts a credential of theirs any more
 */
export function afterCommit(
  {
    nodes,
    readers,
  }: { nodes: Pick<Nodes, 'committed' | 'confirm' | 'confirmEarlier'>; readers: Pick<Readers, 'committed'> },
  endings: readonly Ending[],
  found: 'all' | 'part' = 'all',
): Promise<Propagation> {
  nodes.committed(...endings);
  const confirming = found === 'all' ? nodes.confirm(...endings) : nodes.confirmEarlier();
  for (const { event, more } of endings) readers.committed({ type: event.type, more });
  return confirming;
}
