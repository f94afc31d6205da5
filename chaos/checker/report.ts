import type { History } from './history.ts';
import type { Judgement } from './judge.ts';
import type { Times } from './speed.ts';

/** Prints only the first of many violations of one kind. */
const SHOWN = 5;

export function report(history: History, judgement: Judgement, missing: readonly string[]): string {
  const { violations, speed, straddling, soonAfter, believed, last } = judgement;
  const answers = Array.from(history.answers.values());
  const lines: string[] = [];
  const row = (what: string, ...values: (string | number)[]): void => {
    lines.push(`  ${what.padEnd(44)}${values.map((value) => figure(value).padStart(11)).join('')}`);
  };
  const list = (title: string, counts: Map<string, number>): void => {
    lines.push('', title);
    for (const [name, count] of Array.from(counts).toSorted(([, a], [, b]) => b - a)) row(name, count);
  };

  lines.push('Load');
  row('sessions', history.logins.length);
  row('refreshes', history.refreshes.length);
  row('logouts', history.logouts.length);
  row('  confirmed', answers.filter(({ confirmed }) => confirmed).length);
  row(
    '  committed, not waited for',
    answers.filter(({ status, confirmed }) => status === 200 && !confirmed).length,
  );
  row('  failed, or not answered', answers.filter(({ status }) => status === 0 || status >= 500).length);
  row('  refused as a request', answers.filter(({ status }) => status >= 400 && status < 500).length);
  row('checks', history.checks.length);
  row('  begun within 50 ms after the answer', soonAfter);
  row('alive at the last look', last.alive);
  row('over at the last look', last.over);
  list('Checks by outcome', count(history.checks.map(({ o }) => o)));
  list('Logouts by scope', count(history.logouts.map(({ scope }) => scope)));
  list('Faults', count(history.faults.map(({ kind }) => kind)));

  lines.push(
    '',
    `Confirmed logouts, milliseconds${' '.repeat(21)}count        p50        p90        p99       most`,
  );
  const times = (what: string, { count: of, p50, p90, p99, most }: Times): void =>
    row(what, of, p50.toFixed(1), p90.toFixed(1), p99.toFixed(1), most.toFixed(1));
  times('calm, by the server', speed.calm);
  times('calm, for the client', speed.calmForClients);
  times('under faults, by the server', speed.faults);
  times('under faults, for the client', speed.faultsForClients);
  row('acknowledged, calm', speed.calmAcknowledged);
  row('waited out, calm', speed.calmWaitedOut);
  row('slower than lease and commit, excused', speed.excused);

  lines.push('', 'Verdict');
  row('late accepts', violations.filter(({ rule }) => rule === 'G1').length);
  row('late accepts of the believer, found', believed);
  row('accepts begun before the answer, ended after', straddling.count);
  row('  from memory', straddling.fromMemory);
  row('  the longest, ms after the answer', straddling.longestMs.toFixed(1));
  row('violations of any kind', violations.length);
  for (const [rule, of] of count(violations.map((violation) => violation.rule))) {
    lines.push('', `${rule}: ${of}`);
    for (const { what, proof } of violations.filter((violation) => violation.rule === rule).slice(0, SHOWN))
      lines.push(`  ${what}`, ...proof.map((line) => `    ${JSON.stringify(line)}`));
  }
  if (missing.length > 0) lines.push('', 'Too little to judge by', ...missing.map((one) => `  ${one}`));
  lines.push('', violations.length + missing.length === 0 ? 'The guarantee held.' : 'FAILED', '');
  return lines.join('\n');
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function figure(value: string | number): string {
  return typeof value === 'number' ? value.toLocaleString('en') : value;
}
