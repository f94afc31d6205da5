/** `npm run bench:fan-out`: simulates the fan-out with the unit costs of the last full run, or of the file that is named. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fanOutTable, growthTable, unitCostTable } from './tables.ts';
import { unitCosts, type MeasuredResults } from './unit-costs.ts';

const file = process.argv[2] ?? join(import.meta.dirname, '..', 'results', 'latest.json');
const costs = unitCosts(JSON.parse(readFileSync(file, 'utf8')) as MeasuredResults);
if (costs === undefined) {
  process.stderr.write(`${file} holds no full run of the benchmark: npm run bench\n`);
  process.exitCode = 1;
} else {
  const lines = [unitCostTable(costs), fanOutTable(costs), growthTable(costs)].map((table) =>
    table.join('\n'),
  );
  process.stdout.write(`${lines.join('\n\n')}\n`);
}
