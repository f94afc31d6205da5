import type { Propagation } from '@curfew/protocol/node';
import type { Revocation } from '../../store/revocation.ts';
import type { Readers } from '../follow/registry.ts';
import type { Nodes } from '../nodes/joined-node.ts';

/**
 * Announces endings after their commit, never before: to this process's memory at once, to all other replicas, and to the readers
 * of the log, which nobody waits for. Endings of one commit go together.
 * @param found `part` when another caller had ended some of the named sessions: then the log is read before the confirmation
 * @returns resolves when no replica accepts a credential of theirs any more
 */
export function afterCommit(
  {
    nodes,
    readers,
  }: { nodes: Pick<Nodes, 'committed' | 'confirm' | 'confirmEarlier'>; readers: Pick<Readers, 'committed'> },
  endings: readonly Revocation[],
  found: 'all' | 'part' = 'all',
): Promise<Propagation> {
  nodes.committed(...endings);
  const confirming = found === 'all' ? nodes.confirm(...endings) : nodes.confirmEarlier();
  for (const { event, more } of endings) readers.committed({ type: event.type, more });
  return confirming;
}
