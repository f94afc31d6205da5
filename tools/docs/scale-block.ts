/** The figures of docs/scale.md, written from the last full run of the benchmark and the simulation that it feeds. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fanOutTable, growthTable, unitCostTable } from '../../bench/fan-out/tables.ts';
import { type MeasuredResults, type UnitCosts, unitCosts } from '../../bench/fan-out/unit-costs.ts';
import { between } from './marks.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const TABLES: Record<string, (costs: UnitCosts) => string[]> = {
  'unit-costs': unitCostTable,
  'fan-out': fanOutTable,
  growth: growthTable,
};

/** The page with the figures of the last run between its marks. */
export function scalePage(): string {
  const page = readFileSync(join(ROOT, 'docs', 'scale.md'), 'utf8');
  const file = join(ROOT, 'bench', 'results', 'latest.json');
  const costs = existsSync(file)
    ? unitCosts(JSON.parse(readFileSync(file, 'utf8')) as MeasuredResults)
    : undefined;
  return Object.entries(TABLES).reduce((text, [name, table]) => {
    const lines = costs ? table(costs) : ['No full run of `npm run bench` has measured these yet.'];
    return between(text, name, lines.join('\n'));
  }, page);
}
