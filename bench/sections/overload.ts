import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import type { Candidate } from '../candidates/candidate.ts';
import type { Curfew } from '../candidates/curfew.ts';
import { withRatios, type Section } from '../figure.ts';
import { Generator } from '../load/generator.ts';
import { toWire, type WireRequest } from '../load/wire.ts';
import { measureInRounds, type Entry, type Measured } from '../rounds.ts';
import { describeErrors } from './error-text.ts';

const CHECKS_PER_SECOND = 200;
const LOGOUTS_PER_SECOND = 50;
const WARM_UP_LOGOUTS = 100;
const TIMES_CAPACITY = 10;
/** The time for the flood to begin and to fill its queue, before the first probe. */
const FLOOD_LEAD_SECONDS = 1.5;

/** (e) Checks and logouts that arrive at a steady rate, alone and while logins arrive at ten times what can be hashed. */
export async function measureOverload(bench: Bench): Promise<Section> {
  const { http, update } = bench.floors;
  const probes = { checks: await Generator.start(), logouts: await Generator.start() };
  const entries: Entry[] = [
    {
      id: 'floor',
      label: 'floors, no logins',
      kind: 'floor',
      measure: (timed) => measureProbes(bench, probes, http, update, timed),
    },
  ];
  const { curfew } = bench;
  const jwt = bench.ours.find(({ id }) => id === 'curfew-jwt');
  if (curfew !== undefined && jwt !== undefined) {
    const flood = await Generator.start();
    const logins = curfew.loginRequests();
    const capacity = await hashingCapacity(bench, curfew.port, logins);
    entries.push(
      {
        id: 'curfew-quiet',
        label: 'Curfew, no logins',
        kind: 'curfew',
        measure: (timed) => measureProbes(bench, probes, jwt, jwt, timed),
      },
      floodedEntry({ bench, probes, jwt, curfew, flood, logins, capacity }),
    );
  }
  return withRatios({
    id: 'overload',
    title: 'Under a flood of logins',
    method: `${CHECKS_PER_SECOND} checks and ${LOGOUTS_PER_SECOND} logouts a second, by the clock; logins by the clock at ${TIMES_CAPACITY} times the rate that was measured to be hashed. A login may be refused, a check or logout may not.`,
    columns: [
      { value: 'checkP50', title: 'check p50 ms', digits: 2 },
      { value: 'checkP99', title: 'check p99 ms', digits: 2 },
      { value: 'logoutP50', title: 'logout p50 ms', digits: 2 },
      { value: 'logoutP99', title: 'logout p99 ms', digits: 2 },
      { value: 'loginsOffered', title: 'logins offered/s', digits: 0 },
      { value: 'loginsDone', title: 'done/s', digits: 0 },
    ],
    ratios: [
      { title: 'check p99 ÷ floor', value: 'checkP99', to: 'floor' },
      { title: 'logout p99 ÷ floor', value: 'logoutP99', to: 'floor' },
      { title: 'check p99 ÷ no logins', value: 'checkP99', to: 'curfew-quiet', onlyCurfew: true },
      { title: 'logout p99 ÷ no logins', value: 'logoutP99', to: 'curfew-quiet', onlyCurfew: true },
    ],
    figures: await measureInRounds(bench, entries),
  });
}

interface Probes {
  checks: Generator;
  logouts: Generator;
}

type Timed = Parameters<Entry['measure']>[0];

async function measureProbes(
  bench: Bench,
  probes: Probes,
  checked: Candidate,
  loggedOut: Candidate,
  timed: Timed,
  beforeProbes: () => Promise<void> = async () => {},
): Promise<Measured> {
  const seconds = bench.options.overloadSeconds;
  const checks = (await checked.prepare(200)).map(({ check }) => toWire(check, checked.port));
  const ending = await loggedOut.prepare(Math.ceil(LOGOUTS_PER_SECOND * seconds) + WARM_UP_LOGOUTS);
  const logouts = ending.map(({ logout }) => toWire(logout, loggedOut.port));
  await bench.services.checkpoint();
  // The first answers of a connection and of a code path are slower, and do not count.
  const warmUp = { connections: 4, seconds: 0.3 };
  await probes.checks.closedLoop({ ...warmUp, port: checked.port, requests: checks, repeat: true });
  const first = logouts.splice(0, WARM_UP_LOGOUTS);
  await probes.logouts.closedLoop({ ...warmUp, port: loggedOut.port, requests: first, repeat: false });
  await beforeProbes();
  const open = { seconds, maxConnections: 64, anyStatus: false };
  const [check, logout] = await timed(() =>
    Promise.all([
      probes.checks.openLoop({
        ...open,
        port: checked.port,
        perSecond: CHECKS_PER_SECOND,
        requests: checks,
        repeat: true,
      }),
      probes.logouts.openLoop({
        ...open,
        port: loggedOut.port,
        perSecond: LOGOUTS_PER_SECOND,
        requests: logouts,
        repeat: false,
      }),
    ]),
  );
  return {
    values: { checkP50: check.p50, checkP99: check.p99, logoutP50: logout.p50, logoutP99: logout.p99 },
    problems: [
      ...describeErrors(check.errors).map((text) => `check: ${text}`),
      ...describeErrors(logout.errors).map((text) => `logout: ${text}`),
    ],
  };
}

function floodedEntry(parts: {
  bench: Bench;
  probes: Probes;
  jwt: Candidate;
  curfew: Curfew;
  flood: Generator;
  logins: WireRequest[];
  capacity: number;
}): Entry {
  const { bench, probes, jwt, curfew, flood, logins, capacity } = parts;
  const perSecond = Math.ceil(capacity * TIMES_CAPACITY);
  const seconds = FLOOD_LEAD_SECONDS + bench.options.overloadSeconds + 0.5;
  return {
    id: 'curfew-flooded',
    label: `Curfew, logins at ${TIMES_CAPACITY} × capacity`,
    kind: 'curfew',
    measure: async (timed) => {
      const requests = logins.map((login) => toWire(login, curfew.port));
      let flooding: ReturnType<Generator['openLoop']> | undefined;
      const measured = await measureProbes(bench, probes, jwt, jwt, timed, async () => {
        flooding = flood.openLoop({
          port: curfew.port,
          perSecond,
          seconds,
          maxConnections: 512,
          requests,
          repeat: true,
          anyStatus: true,
        });
        await sleep(FLOOD_LEAD_SECONDS * 1000);
      });
      const figures = await flooding;
      const refused = Object.values(figures?.errors ?? {}).reduce((sum, count) => sum + count, 0);
      const done = Math.max(0, perSecond * seconds - refused) / seconds;
      return {
        values: { ...measured.values, loginsOffered: perSecond, loginsDone: done },
        problems: measured.problems,
      };
    },
  };
}

/** Logins a second when each client waits for its answer: the most that the hashing allows. */
async function hashingCapacity(bench: Bench, port: number, logins: WireRequest[]): Promise<number> {
  const requests = logins.map((login) => toWire(login, port));
  const { perSecond, errors } = await bench.generator.closedLoop({
    port,
    connections: 4,
    seconds: Math.min(3, bench.options.loginSeconds),
    requests,
    repeat: true,
  });
  const problems = describeErrors(errors);
  if (problems.length > 0) throw new Error(`logins failed: ${problems.join(', ')}`);
  return perSecond;
}
