import type { Figure, Section } from '../figure.ts';
import { canPin } from '../machine/cores.ts';
import { describeBusy } from '../machine/processor-time.ts';
import { isReached, type Aim } from './aims.ts';

/** A section as a table of plain text that is a Markdown table too. */
export function formatSection(section: Section): string {
  const head = [
    '',
    ...section.columns.map(({ title }) => title),
    ...section.ratios.map(({ title }) => title),
    'processor time, in cores',
    'durable',
  ];
  const showsDurable = section.figures.some(({ durable }) => durable !== undefined);
  const rows = [head, ...section.figures.map((figure) => formatFigure(section, figure))];
  const shown = showsDurable ? rows : rows.map((row) => row.slice(0, -1));
  const notes = section.figures.flatMap(noteOf);
  return [
    `## ${section.title}`,
    section.method,
    '',
    ...align(shown),
    ...notes.map((note) => `- ${note}`),
    '',
  ].join('\n');
}

function formatFigure(section: Section, figure: Figure): string[] {
  const values = section.columns.map(({ value, digits }) => formatNumber(figure.values[value], digits));
  const ratios = section.ratios.map(({ title }) => formatRatio(figure.ratios[title]));
  const durable = figure.durable === undefined ? '' : figure.durable ? 'yes' : 'no';
  return [figure.label, ...values, ...ratios, describeBusy(figure.busy, canPin), durable];
}

function noteOf(figure: Figure): string[] {
  const notes: string[] = [];
  if (figure.void !== undefined) notes.push(`VOID ${figure.label}: ${figure.void.join('; ')}`);
  if (figure.disturbedRounds > 0) {
    notes.push(
      `${figure.label}: ${figure.disturbedRounds} of ${figure.rounds.length} rounds disturbed by other load`,
    );
  }
  return notes;
}

export function formatAims(aims: Aim[]): string {
  const rows = aims.map((aim) => {
    const verdict =
      { true: 'reached', false: 'NOT reached', undefined: 'not measured' }[String(isReached(aim))] ?? '';
    return [aim.text, formatRatio(aim.reached), `${aim.atMost ? '≤' : '≥'} ${aim.wanted}`, verdict];
  });
  return ['## Aims', '', ...align([['', 'measured', 'wanted', ''], ...rows]), ''].join('\n');
}

function formatNumber(value: number | undefined, digits: number): string {
  if (value === undefined) return '–';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function formatRatio(ratio: number | undefined): string {
  if (ratio === undefined) return '–';
  return ratio >= 0.1 ? ratio.toFixed(2) : ratio.toFixed(3);
}

/** The first column to the left, numbers to the right. */
function align(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(3, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: string[]): string =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), rule, ...body.map(line)];
}
