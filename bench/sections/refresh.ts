import type { Bench } from '../bench.ts';
import { withRatios, type Section } from '../figure.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { logoutEntry, singleUse } from './single-use.ts';

const CONNECTIONS = 32;

/** (d) Refresh: each token is spent once, and its successor stored. */
export async function measureRefreshes(bench: Bench): Promise<Section> {
  const load = { connections: CONNECTIONS, seconds: bench.options.singleUseSeconds };
  const entries: Entry[] = [bench.floors.http, bench.floors.update].map((floor) =>
    logoutEntry(bench, floor, load),
  );
  const { curfew } = bench;
  if (curfew !== undefined) {
    entries.push({
      id: 'curfew-refresh',
      label: 'Curfew, refresh',
      kind: 'curfew',
      durable: true,
      measure: singleUse(bench, {
        port: curfew.port,
        ...load,
        makeRequests: (count) => curfew.refreshRequests(count),
      }),
    });
  }
  return withRatios({
    id: 'refresh',
    title: 'Refresh',
    method: `The Node generator, ${CONNECTIONS} connections, a fresh refresh token for every request.`,
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
