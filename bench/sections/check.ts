import type { Bench } from '../bench.ts';
import { isAccepted, proveLogout, type Candidate } from '../candidates/candidate.ts';
import type { Credential } from '../candidates/credential.ts';
import { withRatios, type Section } from '../figure.ts';
import type { LoadFigures } from '../load/figures.ts';
import { acceptedAfterLogout } from '../load/lateness.ts';
import { toWire } from '../load/wire.ts';
import { hasWrk, runWrk } from '../load/wrk.ts';
import { residentMegabytes } from '../machine/foreign-load.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { describeErrors } from './error-text.ts';

/** Load is measured for a cache that lives longer than this. For a shorter one the section measures when it ends. */
const LONGEST_WAIT_MS = 20_000;
const CREDENTIALS = 1000;
const CONNECTIONS = 32;

/** (a) "Is this session alive?" with many sessions in turn, as a reverse proxy or a back end would ask. */
export async function measureChecks(bench: Bench): Promise<Section> {
  const candidates = [bench.floors.http, ...bench.ours, ...bench.peers];
  return withRatios({
    id: 'check',
    title: 'Is this session alive?',
    method: `${hasWrk ? 'wrk' : 'The Node generator'}, ${CONNECTIONS} connections, ${CREDENTIALS} valid credentials in turn.`,
    columns: [
      { value: 'perSecond', title: 'per s', digits: 0 },
      { value: 'p50', title: 'p50 ms', digits: 2 },
      { value: 'p99', title: 'p99 ms', digits: 2 },
      { value: 'rssMegabytes', title: 'RSS MB', digits: 0 },
      { value: 'lateMs', title: 'accepted after logout, ms', digits: 1 },
    ],
    ratios: [{ title: '÷ node:http', value: 'perSecond', to: 'floor-http' }],
    figures: await measureInRounds(
      bench,
      candidates.map((candidate) =>
        isShortLived(candidate) ? latenessEntry(candidate) : checkEntry(bench, candidate),
      ),
    ),
  });
}

/** A cache that ends during the load would be measured half empty, so the section measures only its end. */
function isShortLived({ acceptsLateMs }: Candidate): boolean {
  return acceptsLateMs !== undefined && acceptsLateMs <= LONGEST_WAIT_MS;
}

function latenessEntry(candidate: Candidate): Entry {
  let lateMs: number | undefined;
  return {
    id: candidate.id,
    label: candidate.label,
    kind: candidate.kind,
    measure: async () => {
      lateMs ??= await acceptedAfterLogout(candidate);
      return { values: { lateMs }, problems: [] };
    },
  };
}

/** The load of checks on one candidate, as one entry of a section. */
export function checkEntry(bench: Bench, candidate: Candidate): Entry {
  let kept: Credential[] | undefined;
  let lateMs = 0;
  return {
    id: candidate.id,
    label: candidate.label,
    kind: candidate.kind,
    measure: async (timed, round) => {
      if (round === 0 && candidate.kind !== 'floor') {
        await proveLogout(candidate);
        // Once is enough. The benchmark does not wait for the end of a long cache: the short one shows the same.
        if (candidate.acceptsLateMs === undefined) lateMs = await acceptedAfterLogout(candidate);
      }
      // Each round makes new ones of Curfew's, because its access tokens live for minutes. The others live longer.
      if (kept === undefined || candidate.kind === 'curfew') kept = await candidate.prepare(CREDENTIALS);
      const requests = kept.map(({ check }) => toWire(check, candidate.port));
      const warmUpSeconds = round === 0 ? bench.options.warmUpSeconds : bench.options.rewarmSeconds;
      if (warmUpSeconds > 0) await load(bench, candidate.port, requests, warmUpSeconds);
      const { perSecond, p50, p99, errors } = await timed(() =>
        load(bench, candidate.port, requests, bench.options.checkSeconds),
      );
      const problems = describeErrors(errors);
      // wrk cannot tell 200 from a redirect, and does not see a "no" in a body, so one check follows.
      const last = kept.at(-1);
      if (last !== undefined && !(await isAccepted(candidate, last)))
        problems.push('a live session is refused');
      const showsLate = candidate.kind !== 'floor' && candidate.acceptsLateMs === undefined;
      return {
        values: {
          perSecond,
          p50,
          p99,
          rssMegabytes: residentMegabytes(candidate.pid) ?? 0,
          ...(showsLate ? { lateMs } : {}),
        },
        problems,
      };
    },
  };
}

function load(bench: Bench, port: number, requests: string[], seconds: number): Promise<LoadFigures> {
  const plan = { port, connections: CONNECTIONS, seconds, requests };
  return hasWrk ? runWrk(plan) : bench.generator.closedLoop({ ...plan, repeat: true });
}
