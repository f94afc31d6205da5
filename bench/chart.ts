import type { Figure, Section } from './figure.ts';
import type { Results } from './report/results.ts';
import { formatRatio } from './report/table.ts';

const WIDTH = 840;
const LABEL_WIDTH = 300;
const BAR_WIDTH = 350;
const ROW = 24;
const BAR = 14;
const MARGIN = 24;

interface Panel {
  section: string;
  heading: string;
  /** What the bars are compared to; absent where the section has no floor. */
  ratio?: string;
  /** What the bars show. Default: how many a second. */
  value?: string;
  only?: RegExp;
}

/** Which section becomes a group of bars, and what its bars are compared to. */
const PANELS: Panel[] = [
  {
    section: 'check',
    heading: 'Is this session alive? Answers per second on one core',
    ratio: '÷ node:http',
  },
  {
    section: 'local',
    heading: 'The same in the own process, by the verifier: checks per second on one core',
    ratio: '÷ a Map',
    only: /^(floor-map|now-jwt|verify-jwt|now-opaque|now-cookie)/,
  },
  { section: 'logout', heading: 'Logout of one session, per second on one core', ratio: '÷ one UPDATE' },
  {
    section: 'propagation',
    heading: 'A logout until it is true everywhere: milliseconds, p50',
    value: 'confirmedP50',
  },
];

/**
 * The two comparisons in the README, as hand-written SVG. The colours follow the reader's light or dark scheme: an image in a README does
 * not know the page's theme, but it can ask the browser.
 */
export function drawChart(results: Results): string {
  let y = MARGIN + 6;
  const parts: string[] = [];
  for (const panelOf of PANELS) {
    const found = results.sections.find(({ id }) => id === panelOf.section);
    if (found === undefined) continue;
    const panel = drawPanel(found, panelOf, y);
    parts.push(panel.svg);
    y = panel.bottom + 22;
  }
  const height = y + 34;
  const { machine, services } = results;
  const footer = [
    'Beside the bars the ratio to the floor (dashed) that was measured in the same run.',
    `Medians of three rounds, ${results.at.slice(0, 10)}, Node ${machine.node.slice(1)}, PostgreSQL ${services.postgres} with fsync, Redis ${services.redis}.`,
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title">
<title id="title">Benchmark: session checks and logouts per second, Curfew beside its floors and its peers</title>
<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
.heading { font-size: 15px; font-weight: 600; }
.quiet { fill: #59636e; font-size: 11px; }
.number { font-variant-numeric: tabular-nums; }
.curfew { fill: #0b7a5b; } .peer { fill: #8b949e; } .floor { fill: none; stroke: #8b949e; stroke-dasharray: 3 2; }
.strong { font-weight: 600; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .quiet { fill: #9198a1; } .curfew { fill: #3fb88f; } .peer { fill: #6e7681; } .floor { stroke: #9198a1; }
}
</style>
${parts.join('\n')}
${footer.map((line, i) => `<text class="quiet" x="${MARGIN}" y="${height - 28 + i * 16}">${escapeText(line)}</text>`).join('\n')}
</svg>
`;
}

function drawPanel(
  section: Section,
  { heading, ratio, value = 'perSecond', only }: Panel,
  top: number,
): { svg: string; bottom: number } {
  const floor = section.ratios.find(({ title }) => title === ratio)?.to;
  const rate = (figure: Figure): number => figure.values[value] ?? 0;
  const isRate = value === 'perSecond';
  // The logout panel shows its own floor alone: with the bar of a bare answer, all other bars would be tiny.
  const figures = section.figures
    .filter((figure) => figure.values[value] !== undefined && only?.test(figure.id) !== false)
    .filter((figure) => figure.void === undefined && (figure.kind !== 'floor' || figure.id === floor));
  // Values that are no rates keep the order of their section, in which the numbers grow.
  if (isRate)
    figures.sort((a, b) => Number(b.kind === 'floor') - Number(a.kind === 'floor') || rate(b) - rate(a));
  const most = Math.max(1, ...figures.map(rate));
  let y = top + 14;
  const rows = figures.map((figure) => {
    y += ROW;
    const number = isRate ? Math.round(rate(figure)).toLocaleString('en') : rate(figure).toFixed(1);
    const ratioText = ratio === undefined ? '' : `  ·  ${formatRatio(figure.ratios[ratio])}`;
    return drawBar(figure, number + ratioText, rate(figure) / most, y);
  });
  return {
    svg: `<text class="heading" x="${MARGIN}" y="${top + 8}">${escapeText(heading)}</text>\n${rows.join('\n')}`,
    bottom: y + ROW,
  };
}

function drawBar(figure: Figure, number: string, share: number, y: number): string {
  const length = Math.max(1, Math.round(share * BAR_WIDTH));
  const strong = figure.kind === 'curfew' ? ' class="strong"' : '';
  const left = MARGIN + LABEL_WIDTH;
  const lost = figure.durable === false ? '<tspan class="quiet" dx="8">not durable</tspan>' : '';
  return `<text${strong} x="${left - 10}" y="${y + BAR - 2}" text-anchor="end">${escapeText(shorten(figure.label))}</text>
<rect class="${figure.kind}" x="${left}" y="${y}" width="${length}" height="${BAR}" rx="2"/>
<text class="number" x="${left + length + 8}" y="${y + BAR - 2}">${escapeText(number)}${lost}</text>`;
}

/** The labels were written for the table. The chart has less room. */
function shorten(label: string): string {
  return label
    .replace('floor: ', '')
    .replace(' introspection, revocation', '')
    .replace(' + Redis denylist', ', Redis list');
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
