import type { Bench } from '../bench.ts';
import { inParallel, logout, type Curfew } from '../candidates/curfew.ts';
import type { Credential } from '../candidates/credential.ts';
import { withRatios, type Section } from '../figure.ts';
import type { EffectSample } from '../load/effect.ts';
import { Latencies } from '../load/latencies.ts';
import { toWire } from '../load/wire.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { logoutEntry } from './single-use.ts';

/** (c) Logout of everything a user has: when it answers, and when the other sessions are first refused. */
export async function measureLogoutAll(bench: Bench): Promise<Section> {
  const { curfew, options } = bench;
  const quiet = { connections: 1, seconds: Math.min(1, options.singleUseSeconds) };
  const floors = [bench.floors.http, bench.floors.update].map((floor) =>
    asAnswerTimes(logoutEntry(bench, floor, quiet)),
  );
  const entries = [...floors];
  if (curfew !== undefined) {
    entries.push(
      effectEntry(bench, curfew, { scope: 'this', sessions: 1, samples: options.effectSamples }),
      effectEntry(bench, curfew, { scope: 'all', sessions: 1, samples: options.effectSamples }),
      effectEntry(bench, curfew, { scope: 'all', sessions: 10, samples: options.effectSamples }),
      effectEntry(bench, curfew, { scope: 'all', sessions: 1000, samples: options.thousandSamples }),
    );
  }
  return withRatios({
    id: 'logout-all',
    title: 'Logout everywhere, one user',
    method:
      'One logout at a time, while a second connection asks with another session of the user until it is refused; then every session is asked once.',
    columns: [
      { value: 'answerP50', title: 'answer p50 ms', digits: 2 },
      { value: 'answerP99', title: 'answer p99 ms', digits: 2 },
      { value: 'effectP50', title: 'refused p50 ms', digits: 2 },
      { value: 'effectP99', title: 'refused p99 ms', digits: 2 },
    ],
    ratios: [
      { title: 'answer ÷ node:http', value: 'answerP50', to: 'floor-http' },
      { title: 'answer ÷ one UPDATE', value: 'answerP50', to: 'floor-update' },
      { title: 'refused ÷ logout of one', value: 'effectP50', to: 'curfew-this-1', onlyCurfew: true },
    ],
    figures: await measureInRounds(bench, entries),
  });
}

/** The floors have no other sessions, so they have an answer time only. */
function asAnswerTimes(entry: Entry): Entry {
  return {
    ...entry,
    measure: async (timed, round) => {
      const { values, problems } = await entry.measure(timed, round);
      return { values: { answerP50: values['p50'] ?? 0, answerP99: values['p99'] ?? 0 }, problems };
    },
  };
}

function effectEntry(
  bench: Bench,
  curfew: Curfew,
  { scope, sessions, samples }: { scope: 'this' | 'all'; sessions: number; samples: number },
): Entry {
  const what = scope === 'this' ? 'logout of one session' : `logout of all, ${sessions.toLocaleString('en')}`;
  return {
    id: `curfew-${scope}-${sessions}`,
    label: `Curfew, ${what}`,
    kind: 'curfew',
    durable: true,
    measure: async (timed) => {
      const plan = { port: curfew.port, samples: await makeSamples(curfew, scope, sessions, samples) };
      await bench.services.checkpoint();
      const times = await timed(() => bench.generator.effect(plan));
      const answers = new Latencies();
      const effects = new Latencies();
      const problems: string[] = [];
      for (const { answerMs, effectMs, logoutStatus, acceptedAfter } of times) {
        answers.add(answerMs);
        effects.add(effectMs);
        if (logoutStatus !== 200) problems.push(`a logout answered ${logoutStatus}`);
        if (!Number.isFinite(effectMs)) problems.push('the watched session was never refused');
        if (acceptedAfter > 0) problems.push(`${acceptedAfter} sessions accepted after the answer`);
      }
      const [answerP50 = 0, answerP99 = 0] = answers.quantiles(0.5, 0.99);
      const [effectP50 = 0, effectP99 = 0] = effects.quantiles(0.5, 0.99);
      return { values: { answerP50, answerP99, effectP50, effectP99, samples: times.length }, problems };
    },
  };
}

/** Each sample has a user of its own in this round: the logout of one must not end the sessions of the next. */
async function makeSamples(
  curfew: Curfew,
  scope: 'this' | 'all',
  sessions: number,
  samples: number,
): Promise<EffectSample[]> {
  return inParallel(curfew.users.slice(0, samples), async (user) => {
    const opened = await curfew.sessionsOf(user, sessions);
    const actor = opened[0] as Credential;
    const watched = opened.at(-1) as Credential;
    return {
      logout: toWire(logout(actor.check.headers ?? {}, scope), curfew.port),
      watch: toWire(watched.check, curfew.port),
      over: opened.map(({ check }) => toWire(check, curfew.port)),
    };
  });
}
