import { readFileSync, writeFileSync } from 'node:fs';
import type { Judgement } from './judged.ts';
import type { Lines, Report, Result } from './report.ts';

const PAGE = new URL('../../docs/mutants.md', import.meta.url);

interface Score {
  killed: number;
  hung: number;
  refused: number;
  equivalent: number;
  /** The faults that no test notices, although one should. */
  survived: Result[];
  /** Of those that a test could notice. */
  percent: number;
}

export function score({ results }: Report, judged: readonly Judgement[]): Score {
  const count = (outcome: Result['outcome']): number =>
    results.filter((one) => one.outcome === outcome).length;
  const left = results.filter(({ outcome }) => outcome === 'survived' || outcome === 'unreached');
  const survived = left.filter((one) => !isEquivalent(one, judged));
  const [killed, hung] = [count('killed'), count('hung')];
  const percent = (100 * (killed + hung)) / (killed + hung + survived.length || 1);
  return {
    killed,
    hung,
    refused: count('refused'),
    equivalent: left.length - survived.length,
    survived,
    percent,
  };
}

export function isEquivalent(lines: Lines, judged: readonly Judgement[]): boolean {
  const judgement = judgementOf(lines, judged);
  return judgement !== undefined && judgement.open !== true;
}

function judgementOf({ path, was, is }: Lines, judged: readonly Judgement[]): Judgement | undefined {
  return judged.find((one) => one.path === path && one.was === was && one.is === is);
}

/** Writes the results of a part into docs/mutants.md, between its two marks. */
export function writeNote(report: Report, judged: readonly Judgement[]): void {
  const [begin, end] = [`<!-- ${report.part} -->`, `<!-- end of ${report.part} -->`];
  const page = readFileSync(PAGE, 'utf8');
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`docs/mutants.md lacks ${begin} or ${end}`);
  writeFileSync(PAGE, `${before}${begin}\n${note(report, judged)}\n${end}${after}`);
}

export function note(report: Report, judged: readonly Judgement[]): string {
  const { killed, hung, refused, equivalent, survived, percent } = score(report, judged);
  const { results, of, seed, tests, date, patienceMs } = report;
  const minutes = Math.ceil(results.reduce((sum, { ms }) => sum + ms, 0) / 60_000);
  const run =
    date && patienceMs
      ? `Run on ${date}, ${minutes} minutes of one lane, patience ${patienceMs / 1000} s. `
      : '';
  const rows = results
    .filter(({ outcome }) => outcome === 'survived' || outcome === 'unreached')
    .toSorted((a, b) => a.path.localeCompare(b.path) || a.start - b.start)
    .map((one) => {
      const why =
        judgementOf(one, judged)?.why ?? (one.outcome === 'unreached' ? 'No test executes it.' : '');
      const open = isEquivalent(one, judged) ? '' : '**Open.** ';
      return `| ${one.path.replace(/^packages\/(server\/)?/, '')} | ${code(one.was)} | ${code(one.is)} | ${open}${why} |`;
    });
  return [
    `${run}${results.length} of ${of} mutants, seed ${seed}, ${tests} test files: ${killed} killed, ${hung} stopped at the limit, ` +
      `${refused} refused by types or lint alone, ${equivalent} equivalent, ${survived.length} survived: **${percent.toFixed(1)} %** killed.`,
    ...(rows.length > 0 ? ['', '| Where | Source | Mutant | Judgement |', '|---|---|---|---|', ...rows] : []),
  ].join('\n');
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|').replaceAll('`', "'")}\``;
}
