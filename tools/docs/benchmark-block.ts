/** The README's figures, written from the last full run of the benchmark (`bench/results/latest.json`). */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Figure {
  label: string;
  kind: 'floor' | 'curfew' | 'peer';
  durable?: boolean;
  values: Record<string, number>;
  ratios: Record<string, number>;
  disturbedRounds: number;
}

interface Results {
  machine: { processor: string; cores: number; memoryGigabytes: number; node: string };
  aims: { text: string; reached?: number; wanted: number; atMost: boolean }[];
  sections: { id: string; title: string; figures: Figure[] }[];
}

const ROOT = join(import.meta.dirname, '..', '..');
const BEGIN = '<!-- bench:begin -->';
const END = '<!-- bench:end -->';

/** The README with the figures of the last run between its marks. */
export function readmeWithFigures(): string {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const file = join(ROOT, 'bench', 'results', 'latest.json');
  if (!existsSync(file)) return readme;
  const before = readme.slice(0, readme.indexOf(BEGIN) + BEGIN.length);
  const after = readme.slice(readme.indexOf(END));
  return `${before}\n${block(JSON.parse(readFileSync(file, 'utf8')) as Results)}\n${after}`;
}

function block(results: Results): string {
  const { machine } = results;
  const disturbed = results.sections
    .flatMap(({ figures }) => figures)
    .some((figure) => figure.disturbedRounds > 0);
  return [
    '![Checks and logouts per second beside floors and peers](docs/pictures/bench.svg)',
    '',
    `One run of \`npm run bench\` on ${machine.cores} cores (${machine.processor}, ${machine.memoryGigabytes} GB, Node ` +
      `${machine.node.slice(1)}): the server on one core, the load on the other, medians of three rounds. Absolute figures ` +
      'are those of this machine; the ratios to the floors travel better.' +
      (disturbed ? ' Some rounds were disturbed by other load; the results say which.' : ''),
    '',
    ...table(results, 'check', 'Is this session alive?', '÷ node:http'),
    '',
    ...table(results, 'logout', 'Logout of one session', '÷ one UPDATE'),
    '',
    'What was aimed at:',
    '',
    ...results.aims.map(aim),
    '',
    'Everything else (logout of all, login, refresh, a flood of logins), how it is measured and what it does not show:',
    '[bench/README.md](bench/README.md), [bench/results/latest.json](bench/results/latest.json).',
  ].join('\n');
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
        Math.round(values['perSecond'] ?? 0).toLocaleString('en'),
        (values['p99'] ?? 0).toFixed(1),
        (ratios[ratio] ?? 0).toFixed(2),
        ...(id === 'logout' ? [durable ? 'yes' : 'no'] : []),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

function aim({ text, reached, wanted, atMost }: Results['aims'][number]): string {
  if (reached === undefined) return `- ${text}: not measured in this run`;
  const ok = atMost ? reached <= wanted : reached >= wanted;
  const bound = `${atMost ? 'at most' : 'at least'} ${wanted}`;
  return `- ${text}: ${reached.toFixed(2)}, wanted ${bound}${ok ? '' : '. **Not reached**'}`;
}
