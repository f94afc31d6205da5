import { z } from 'zod';
import { lackedScope, lacksScope } from '../ask-server.ts';
import { CommandRefused, Failed } from '../declare.ts';
import { addressAt, type Requests } from './requests.ts';

/** The places that could accept a credential, by the registry, and those that the proof checked. */
export interface Coverage {
  nodes: { id: string; looked_at: string[] }[];
  /** The verifiers of the checked nodes, without the proof's own. */
  verifiers: { replica: string; address: string | null }[];
  back_ends: number;
  /** The places that were not checked, in words; empty when all were. */
  not_seen: string[];
}

const stateSchema = z.object({
  node: z.object({ id: z.string() }),
  nodes: z.array(z.object({ id: z.string(), silent: z.boolean() })),
  verifiers: z.array(z.object({ replica: z.string(), address: z.string().nullable() })),
  verifier_count: z.number(),
  database: z.object({ answers: z.boolean() }),
});
export type NodeState = z.infer<typeof stateSchema>;

/** A node's state. It is read before the proof has verifiers of its own, so it names only others. */
export async function stateOf(requests: Requests, node: string, serviceKey: string): Promise<NodeState> {
  const reply = await requests.send('GET', addressAt(node, '/v1/admin/state'), {
    authorization: `Bearer ${serviceKey}`,
  });
  const scope = lackedScope(reply.headers['www-authenticate']);
  if (scope !== null) throw new CommandRefused(lacksScope(scope));
  if (reply.status !== 200)
    throw new Failed(`${new URL(node).host} does not answer with its status: ${reply.status}`);
  const state = stateSchema.parse(JSON.parse(reply.text));
  if (!state.database.answers) throw new Failed(`the database of ${new URL(node).host} does not answer`);
  return state;
}

/**
 * @param before the states of the nodes by address, from before the proof began
 * @param after the states from its end: a node that joined meanwhile was not checked either
 */
export function coverageOf(
  before: ReadonlyMap<string, NodeState>,
  after: ReadonlyMap<string, NodeState>,
  backEnds: number,
): Coverage {
  const states = [...before.values(), ...after.values()];
  // A silent node's lease expired long ago, so it refuses. The embedded database has no other node.
  const ids = new Set(
    states.flatMap(({ node, nodes }) => [
      node.id,
      ...nodes.filter(({ silent }) => !silent).map(({ id }) => id),
    ]),
  );
  const nodes = [...ids].map((id) => ({
    id,
    looked_at: [...before].filter(([, { node }]) => node.id === id).map(([url]) => new URL(url).host),
  }));
  const known = new Map([...before.values()].map((state) => [state.node.id, state]));
  const verifiers = [...known.values()].flatMap((state) => state.verifiers);
  const count = [...known.values()].reduce((sum, state) => sum + state.verifier_count, 0);
  const unseen = nodes.filter(({ looked_at: at }) => at.length === 0).map(({ id }) => `node ${id}`);
  // Which node is behind which address is unknown: each address counts for one.
  const missing = Math.max(0, count - backEnds);
  const names = verifiers.map(({ replica, address }) => `${replica} at ${address ?? 'an unknown address'}`);
  const some = `${missing} of ${count} verifiers (${names.join(', ')})`;
  return { nodes, verifiers, back_ends: backEnds, not_seen: [...unseen, ...(missing > 0 ? [some] : [])] };
}
