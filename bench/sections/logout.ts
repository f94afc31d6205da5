import type { Bench } from '../bench.ts';
import { withRatios, type Section } from '../figure.ts';
import { measureInRounds } from '../rounds.ts';
import { logoutEntry } from './single-use.ts';

const CONNECTIONS = 32;

/** (b) Logout of one session, as many as the server takes. */
export async function measureLogouts(bench: Bench): Promise<Section> {
  const { http, update } = bench.floors;
  // Rolling writes a session back after a request that keeps it, which a logout does not do. The figure of a candidate that still accepts
  // after a logout is void here.
  const peers = bench.peers.filter(
    ({ id, acceptsLateMs }) => id !== 'fastify-session-no-rolling' && acceptsLateMs === undefined,
  );
  const load = { connections: CONNECTIONS, seconds: bench.options.singleUseSeconds };
  const entries = [http, update, ...bench.ours, ...peers].map((candidate) =>
    logoutEntry(bench, candidate, load),
  );
  return withRatios({
    id: 'logout',
    title: 'Logout of one session',
    method: `The Node generator, ${CONNECTIONS} connections, a fresh session for every request; refused afterwards, by sample.`,
    columns: [
      { value: 'perSecond', title: 'per s', digits: 0 },
      { value: 'p50', title: 'p50 ms', digits: 2 },
      { value: 'p99', title: 'p99 ms', digits: 2 },
    ],
    ratios: [
      { title: '÷ node:http', value: 'perSecond', to: 'floor-http' },
      { title: '÷ one UPDATE', value: 'perSecond', to: 'floor-update' },
    ],
    figures: await measureInRounds(bench, entries),
  });
}
