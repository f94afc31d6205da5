import { runInChild } from './child.ts';
import { MUTATIONS } from './mutations.ts';
import { readPage, writePart } from './page.ts';

/** The number of seeds within which every mutation must be found. */
export const BUDGET = 10_000;

/** The seeds that found each mutation, from the page. */
export function knownSeeds(): Map<string, number> {
  const rows = readPage().matchAll(/^\| \d+ \| `([a-z-]+)` \|.*\| ([\d,]+) \| [^|]+ \|$/gm);
  return new Map([...rows].map(([, name = '', seeds = '']) => [name, Number(seeds.replace(',', ''))]));
}

/** Runs every mutation from seed 1 on until it is found, and writes the table. False if one is not found. */
export async function writeTable(print: (line: string) => void): Promise<boolean> {
  const rows: string[] = [];
  let all = true;
  for (const { name, point, wrong, file } of MUTATIONS) {
    const { broken, seeds } = await runInChild(1, BUDGET, name);
    const [found] = broken;
    if (!found) all = false;
    const where = file
      .replace('packages/protocol/src/', '')
      .replace('simulator/', 'model: ')
      .replace('.ts', '');
    rows.push(
      `| ${point} | \`${name}\` | ${wrong} | ${where} | ${found ? seeds.toLocaleString('en') : 'not found'} | ${found?.invariant ?? ''} |`,
    );
    print(`${name}: ${found ? `seed ${found.seed}, ${found.message}` : `NOT FOUND in ${seeds}`}`);
  }
  const head = '| Point | Mutation | Fault | Where | Seeds needed | Found by |\n|---|---|---|---|---|---|';
  writePart('mutations', [head, ...rows].join('\n'));
  return all;
}
