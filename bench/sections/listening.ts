import type { Bench } from '../bench.ts';
import type { Candidate } from '../candidates/candidate.ts';
import type { Curfew } from '../candidates/curfew.ts';
import type { Credential } from '../candidates/credential.ts';
import { withRatios, type Section } from '../figure.ts';
import { cpuSeconds } from '../machine/foreign-load.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { Crowd } from '../verifiers/crowd.ts';
import { textOf } from './local.ts';
import { logoutEntry } from './single-use.ts';

const CONNECTIONS = 32;
const VERIFIERS = [0, 8, 100];
const SAMPLED = 20;

/** (h) How many logouts a node can do while verifiers listen, if all of them confirm each logout. */
export async function measureListening(bench: Bench): Promise<Section> {
  const { update } = bench.floors;
  const load = { connections: CONNECTIONS, seconds: bench.options.singleUseSeconds };
  const entries = [logoutEntry(bench, update, load)];
  const { curfew } = bench;
  const jwt = bench.ours.find(({ id }) => id === 'curfew-jwt');
  if (curfew !== undefined && jwt !== undefined)
    entries.push(...VERIFIERS.map((verifiers) => listeningEntry(bench, curfew, jwt, verifiers)));
  return withRatios({
    id: 'listening',
    title: 'Logouts while verifiers listen',
    method: `The Node generator, ${CONNECTIONS} connections, a fresh session for every request, each confirmed by every verifier; refused afterwards, by sample, at the authority and at the verifiers. The verifiers share a core with the generator.`,
    columns: [
      { value: 'perSecond', title: 'per s', digits: 0 },
      { value: 'p50', title: 'p50 ms', digits: 2 },
      { value: 'p99', title: 'p99 ms', digits: 2 },
      { value: 'nodeMicros', title: 'node µs each', digits: 0 },
      { value: 'verifierMicros', title: 'verifier µs each', digits: 1 },
    ],
    ratios: [{ title: '÷ one UPDATE', value: 'perSecond', to: 'floor-update' }],
    figures: await measureInRounds(bench, entries),
  });
}

function listeningEntry(bench: Bench, curfew: Curfew, jwt: Candidate, verifiers: number): Entry {
  let stock: Credential[] = [];
  // The load uses up what is prepared last.
  const watched: Candidate = { ...jwt, prepare: async (count) => (stock = await jwt.prepare(count)) };
  const entry = logoutEntry(bench, watched, {
    connections: CONNECTIONS,
    seconds: bench.options.singleUseSeconds,
  });
  return {
    ...entry,
    id: `curfew-jwt-${verifiers}`,
    label: verifiers === 0 ? 'Curfew, nobody listens' : `Curfew, ${verifiers} verifiers listen`,
    measure: async (timed, round) => {
      const crowd = verifiers === 0 ? undefined : await Crowd.start(verifiers);
      try {
        await crowd?.open([curfew], verifiers);
        let node = 0;
        let theirs = 0;
        const measured = await entry.measure(async (work) => {
          const before = await crowd?.state();
          const nodeBefore = cpuSeconds(curfew.pid);
          const result = await timed(work);
          node = cpuSeconds(curfew.pid) - nodeBefore;
          theirs = ((await crowd?.state())?.cpuSeconds ?? 0) - (before?.cpuSeconds ?? 0);
          return result;
        }, round);
        const answered = measured.values['answered'] ?? 0;
        const used = stock.slice(0, answered);
        const sample = used.filter((_, i) => i % Math.ceil(used.length / SAMPLED) === 0);
        const late = (await crowd?.accepted(sample.map(textOf), 2)) ?? 0;
        if (late > 0) measured.problems.push(`${late} logged-out credentials were accepted by verifiers`);
        const each = (seconds: number): number => (answered === 0 ? 0 : (seconds / answered) * 1e6);
        return {
          values: {
            ...measured.values,
            nodeMicros: each(node),
            ...(verifiers === 0 ? {} : { verifierMicros: each(theirs) / verifiers }),
          },
          problems: measured.problems,
        };
      } finally {
        await crowd?.close();
        await crowd?.stop();
      }
    },
  };
}
