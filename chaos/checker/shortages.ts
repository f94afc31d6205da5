import type { History } from './history.ts';
import type { Judgement } from './judge.ts';

/** What the forger does; see forger.ts. */
const FORGERIES = ['acknowledgements', 'repetitions', 'nonsense'];
/**
 * All kinds of faults, by what they affect; see schedule.ts. This program imports nothing from there, and reads the history alone. A run of
 * any length must have had one of each family.
 */
const FAMILIES = {
  links: ['cut', 'hole', 'hole-up', 'hole-down', 'slow', 'late-reads'],
  processes: ['stop-node', 'stop-back-end', 'kill-node', 'kill-back-end', 'restart-node'],
  redis: ['flush-redis', 'kill-redis', 'pause-redis'],
  postgres: ['restart-postgres', 'kill-postgres', 'standby-postgres', 'failover-postgres'],
};
/** A run of so many seconds must have had all kinds. */
const ALL_KINDS_SECONDS = 50;
/** At least one of each must have succeeded. */
const SCOPES = [
  'this',
  'others',
  'all',
  'this, not waited for',
  'selected',
  'device',
  'by id',
  '001',
  '002',
  '003',
  '004, this',
  '004, others',
  '004, all',
  'admin, sessions',
  'admin, user',
  'admin, users',
  'admin, device',
  'admin, client',
  'admin, everyone',
  'admin, list, a part twice',
  'admin, one of a list',
];

/**
 * What the run has too little of for a valid verdict. All conditions are counts that grow during a run, so a slow machine meets them later,
 * but does meet them.
 */
export function shortages(history: History, judgement: Judgement, seconds: number): string[] {
  const missing: string[] = [];
  const atLeast = (least: number, what: string, count: number): void => {
    if (count < least) missing.push(`${what}: ${count}, at least ${Math.ceil(least)} are needed`);
  };
  const checks = (...outcomes: string[]): number =>
    history.checks.filter(({ o }) => outcomes.includes(o)).length;
  const answers = Array.from(history.answers.values());
  const confirmed = answers.filter((answer) => answer.confirmed);
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
  // If the checker does not find the fault on purpose, it would find no other.
  atLeast(1, 'late accepts of the believer that were found', judgement.believed);
  atLeast(seconds, 'checks within 50 ms after the answer', judgement.soonAfter);
  for (const kind of ['jwt', 'access', 'session', 'cookie'])
    atLeast(seconds / 10, `checks of kind ${kind}`, history.checks.filter(({ k }) => k === kind).length);
  for (const what of FORGERIES) atLeast(0.5 * seconds, `forged ${what}`, history.forged.get(what) ?? 0);
  atLeast(1, 'forged copies', history.forged.get('copies') ?? 0);
  const succeeded = history.logouts.filter(({ id }) => history.answers.get(id)?.status === 200);
  for (const name of SCOPES)
    atLeast(1, `logouts of scope ${name}`, succeeded.filter(({ scope }) => scope === name).length);
  const faults = (...kinds: string[]): number =>
    history.faults.filter(({ kind, n }) => kinds.includes(kind) && history.healed.has(n)).length;
  for (const [family, kinds] of Object.entries(FAMILIES)) atLeast(1, `faults of ${family}`, faults(...kinds));
  if (seconds >= ALL_KINDS_SECONDS)
    for (const kind of Object.values(FAMILIES).flat()) atLeast(1, `faults of kind ${kind}`, faults(kind));
  return missing;
}
