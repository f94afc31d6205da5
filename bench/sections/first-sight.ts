import type { Bench } from '../bench.ts';
import type { Candidate } from '../candidates/candidate.ts';
import { withRatios, type Section } from '../figure.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { singleUse } from './single-use.ts';

const CONNECTIONS = 32;

/**
 * The check of a credential that this server has never seen. No cache of verified tokens can help, so this is the price of the signature,
 * or of the query.
 */
export async function measureFirstSights(bench: Bench): Promise<Section> {
  const candidates = [bench.floors.http, ...bench.ours];
  return withRatios({
    id: 'first-sight',
    title: 'Is this session alive? Every credential for the first time',
    method: `The Node generator, ${CONNECTIONS} connections, a fresh session for every request.`,
    columns: [
      { value: 'perSecond', title: 'per s', digits: 0 },
      { value: 'p50', title: 'p50 ms', digits: 2 },
      { value: 'p99', title: 'p99 ms', digits: 2 },
    ],
    ratios: [{ title: '÷ node:http', value: 'perSecond', to: 'floor-http' }],
    figures: await measureInRounds(
      bench,
      candidates.map((candidate) => firstSightEntry(bench, candidate)),
    ),
  });
}

function firstSightEntry(bench: Bench, candidate: Candidate): Entry {
  return {
    id: candidate.id,
    label: candidate.label,
    kind: candidate.kind,
    measure: singleUse(bench, {
      port: candidate.port,
      connections: CONNECTIONS,
      seconds: Math.min(1.5, bench.options.singleUseSeconds),
      makeRequests: async (count) => (await candidate.prepare(count)).map(({ check }) => check),
    }),
  };
}
