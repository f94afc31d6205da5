import { fileURLToPath } from 'node:url';

/* The parts of a campaign: three nodes, and two back ends with two verifiers each. */

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
export const SERVER = path('../../packages/server/src/main.ts');
export const BACK_END = path('../back-end.ts');
export const CLIENTS = path('../clients.ts');
export const FORGER = path('../forger.ts');
/** The issuer in all tokens, whichever node issues them. */
export const ISSUER = 'http://localhost:8000';

export const NODES = ['node1', 'node2', 'node3'] as const;
/** The back ends with their verifiers, and the nodes that each verifier knows. */
export const BACK_ENDS = [
  {
    name: 'back-end1',
    verifiers: [
      { name: 'v1', nodes: ['node1'], onStale: 'ask' },
      { name: 'v2', nodes: ['node2', 'node3'], onStale: 'ask' },
    ],
  },
  {
    name: 'back-end2',
    verifiers: [
      { name: 'v3', nodes: ['node3'], onStale: 'ask' },
      { name: 'v4', nodes: ['node1', 'node2', 'node3'], onStale: 'refuse' },
    ],
  },
] as const;
