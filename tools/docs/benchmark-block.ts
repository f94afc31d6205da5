/** The figures of the README and of bench/README.md, written from the last full run of the benchmark (`bench/results/latest.json`). */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from '../../bench/figure.ts';
import { type Aim, isReached } from '../../bench/report/aims.ts';
import type { Results } from '../../bench/report/results.ts';
import { between } from './marks.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** The two pages with the figures of the last run between their marks: a summary, and every figure with its aim. */
export function pagesWithFigures(): Record<string, string> {
  const file = join(ROOT, 'bench', 'results', 'latest.json');
  const results = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : undefined;
  const page = (path: string, write: (results: Results) => string[]): string => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    return results ? between(text, 'bench', write(results).join('\n')) : text;
  };
  return { 'README.md': page('README.md', summary), 'bench/README.md': page('bench/README.md', figures) };
}

function summary(results: Results): string[] {
  const { aims } = results;
  const checks = results.sections.find(({ id }) => id === 'check')?.figures ?? [];
  const peers = checks.filter(({ kind }) => kind === 'peer').map(({ values }) => values['perSecond'] ?? 0);
  const figure = (section: string, id: string): Figure | undefined =>
    results.sections.find((one) => one.id === section)?.figures.find((one) => one.id === id);
  const rate = (section: string, id: string): string => whole(figure(section, id)?.values['perSecond'] ?? 0);
  const ratio = (section: string, id: string, to: string): string =>
    (figure(section, id)?.ratios[to] ?? 0).toFixed(2);
  const confirmed = (part: string): string =>
    (figure('propagation', 'redis-1-8')?.values[`confirmed${part}`] ?? 0).toFixed(1);
  return [
    '![Checks and logouts per second beside floors and peers](docs/pictures/bench.svg)',
    '',
    machineOf(results),
    '',
    `- A check of a JWT over HTTP: ${rate('check', 'curfew-jwt')} a second, ` +
      `${ratio('check', 'curfew-jwt', '÷ node:http')} of a bare \`node:http\` answer. The fastest peer: ` +
      `${whole(Math.max(0, ...peers))}.`,
    `- A check of a JWT in a back end, by the verifier: ${rate('local', 'now-jwt-1000')} a second.`,
    `- A logout of one session, on the disk: ${rate('logout', 'curfew-jwt')} a second, ` +
      `${ratio('logout', 'curfew-jwt', '÷ one UPDATE')} of one \`UPDATE\` over HTTP.`,
    `- A logout that 8 verifiers acknowledge: confirmed after ${confirmed('P50')} ms (median), ${confirmed('P99')} ms (p99).`,
    `- ${aims.filter(isReached).length} of ${aims.length} aims were reached. [bench/README.md](bench/README.md) has every ` +
      'figure, the aims, the misses and the method.',
  ];
}

function figures(results: Results): string[] {
  return [
    machineOf(results),
    '',
    ...table(results, 'check', 'Check of a live session', '÷ node:http'),
    '',
    ...table(results, 'logout', 'Logout of one session', '÷ one UPDATE'),
    '',
    'The aims, and what this run reached:',
    '',
    ...results.aims.map(aim),
  ];
}

function machineOf({ machine, sections }: Results): string {
  const disturbed = sections.some(({ figures: all }) =>
    all.some(({ disturbedRounds }) => disturbedRounds > 0),
  );
  return (
    `One run of \`npm run bench\` on ${machine.cores} cores (${machine.processor}, ${machine.memoryGigabytes} GB, Node ` +
    `${machine.node.slice(1)}): the server on one core, the load on the other, medians of three rounds. The figures are ` +
    "this machine's; their ratios to the floors change less from machine to machine." +
    (disturbed ? ' Other load disturbed some rounds; the results say which.' : '')
  );
}

function table(results: Results, id: string, title: string, ratio: string): string[] {
  const section = results.sections.find((one) => one.id === id);
  if (!section) return [];
  const rows = section.figures
    .filter((figure) => figure.values['perSecond'] !== undefined)
    .toSorted((a, b) => (b.values['perSecond'] ?? 0) - (a.values['perSecond'] ?? 0));
  return [
    `| ${title} | per s | p99 ms | ${ratio} |${id === 'logout' ? ' durable |' : ''}`,
    `| --- | ---: | ---: | ---: |${id === 'logout' ? ' --- |' : ''}`,
    ...rows.map(({ label, kind, values, ratios, durable }) => {
      const name = kind === 'curfew' ? `**${label}**` : label;
      const cells = [
        name,
        whole(values['perSecond'] ?? 0),
        (values['p99'] ?? 0).toFixed(1),
        (ratios[ratio] ?? 0).toFixed(2),
        ...(id === 'logout' ? [durable ? 'yes' : 'no'] : []),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');

function aim(one: Aim): string {
  const { text, reached, wanted, atMost } = one;
  if (reached === undefined) return `- ${text}: not measured in this run`;
  const bound = `${atMost ? 'at most' : 'at least'} ${wanted}`;
  return `- ${text}: ${reached.toFixed(2)}, aim ${bound}${isReached(one) ? '' : '. **Missed**'}`;
}
