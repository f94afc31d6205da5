import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { writePart } from './page.ts';
import { inWords, nothingYet, runSeeds, type Tally } from './seeds.ts';

const STRETCH = 2000;

/** Runs many seeds, and records its progress after each part, so that it can be stopped and continued at any time. */
export function campaign(file: string, from: number, count: number, print: (line: string) => void): boolean {
  const tally = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Tally) : nothingYet(from);
  while (tally.seeds < count) {
    runSeeds(tally.from + tally.seeds, Math.min(STRETCH, count - tally.seeds), false, tally);
    writeFileSync(`${file}.new`, `${JSON.stringify(tally, null, 2)}\n`);
    renameSync(`${file}.new`, file);
  }
  print(inWords(tally));
  for (const { seed, message } of tally.broken) print(`seed ${seed}: ${message}`);
  return tally.broken.length === 0;
}

/**
 * Writes the figures of a campaign, ended or not, into docs/mutations.md.
 * @param files the files of its parts: on several cores each has seeds of its own
 */
export function noteCampaign(files: readonly string[]): void {
  const parts = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Tally);
  const tally = parts.reduce((sum, part) => ({
    from: Math.min(sum.from, part.from),
    seeds: sum.seeds + part.seeds,
    steps: sum.steps + part.steps,
    simulatedMs: sum.simulatedMs + part.simulatedMs,
    checks: sum.checks + part.checks,
    confirmations: sum.confirmations + part.confirmations,
    wallMs: Math.max(sum.wallMs, part.wallMs),
    cpuMs: sum.cpuMs + part.cpuMs,
    broken: [...sum.broken, ...part.broken],
  }));
  const failed = tally.broken.map(({ seed, message }) => `\n- seed ${seed}: ${message}`).join('');
  const days = (tally.simulatedMs / 86_400_000).toFixed(0);
  writePart('campaign', `${inWords(tally)}. ${days} days were simulated.${failed}`);
}
