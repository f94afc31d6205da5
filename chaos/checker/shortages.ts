import type { History } from './history.ts';
import type { Judgement } from './judge.ts';

/** All kinds of faults that a run brings about; see schedule.ts, of which this program does not read more than the history. */
const KINDS = [
  'cut',
  'hole',
  'hole-up',
  'hole-down',
  'slow',
  'late-reads',
  'stop-node',
  'stop-back-end',
  'kill-node',
  'kill-back-end',
  'restart-node',
  'flush-redis',
  'kill-redis',
  'pause-redis',
  'restart-postgres',
  'kill-postgres',
  'standby-postgres',
  'failover-postgres',
];
/** What the forger does; see forger.ts. */
const FORGERIES = ['acknowledgements', 'repetitions', 'nonsense'];
/** A run of this many seconds has had all of them. */
const ALL_KINDS_SECONDS = 50;
const SCOPES = 12;

/** What there was too little of for a pass to mean something. */
export function shortages(history: History, judgement: Judgement, seconds: number): string[] {
  const missing: string[] = [];
  const atLeast = (least: number, what: string, count: number): void => {
    if (count < least) missing.push(`${what}: ${count}, at least ${Math.ceil(least)} are needed`);
  };
  const checks = (...outcomes: string[]): number =>
    history.checks.filter(({ o }) => outcomes.includes(o)).length;
  const answers = Array.from(history.answers.values());
  const confirmed = answers.filter((answer) => answer.confirmed);
  // A slow machine, with much else to do, comes to a tenth of what a quick one does.
  atLeast(0.7 * seconds, 'logins', history.logins.length);
  atLeast(0.5 * seconds, 'confirmed logouts', confirmed.length);
  atLeast(
    0.02 * seconds,
    'logouts that failed or were not answered',
    answers.filter(({ status }) => status === 0 || status >= 500).length,
  );
  atLeast(75 * seconds, 'checks', history.checks.length);
  atLeast(15 * seconds, 'accepts from memory', checks('memory'));
  atLeast(seconds, 'accepts by the authority', checks('authority'));
  atLeast(2 * seconds, 'accepts at nodes', checks('yes'));
  atLeast(10 * seconds, 'refusals', checks('ended', 'unknown', 'no'));
  atLeast(seconds, 'checks that could not be decided', checks('stale', 'unavailable'));
  atLeast(2 * confirmed.length, 'checks within 50 ms after the answer', judgement.soonAfter);
  if (!history.marks.has('last look ends')) missing.push('the last look: it did not come to its end');
  for (const kind of ['jwt', 'access', 'session', 'cookie'])
    atLeast(seconds / 10, `checks of kind ${kind}`, history.checks.filter(({ k }) => k === kind).length);
  for (const what of FORGERIES) atLeast(0.5 * seconds, `forged ${what}`, history.forged.get(what) ?? 0);
  if (seconds < ALL_KINDS_SECONDS) return missing;
  atLeast(1, 'forged copies', history.forged.get('copies') ?? 0);
  atLeast(SCOPES, 'scopes of logouts', new Set(history.logouts.map(({ scope }) => scope)).size);
  const scope = (name: string): number => history.logouts.filter(({ scope: of }) => of === name).length;
  atLeast(1, 'lists of which a part was ended by itself', scope('admin, list, a part twice'));
  for (const kind of KINDS)
    atLeast(1, `faults of kind ${kind}`, history.faults.filter((fault) => fault.kind === kind).length);
  return missing;
}
