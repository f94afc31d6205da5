import type { Lane } from './lane.ts';
import type { Answer } from './lane-process.ts';
import { apply, type Mutant } from './mutants.ts';

/** For a test file without a fault. */
const LONGEST_MS = 600_000;

/**
 * Runs a test file on a mutant. If the file was stopped, or none of its tests failed, it runs again without the fault: a machine that is
 * busier than it was gives a file more time, and a dead service ends the run.
 */
export async function runOn(
  lane: Pick<Lane, 'run' | 'write'>,
  mutant: Mutant,
  source: string,
  { file, ms }: { file: string; ms: number },
  slackMs: number,
): Promise<Answer> {
  const limitOf = (usualMs: number): number => Math.round(3 * usualMs + slackMs);
  const answer = await lane.run(file, limitOf(ms));
  const isHung = answer.outcome === 'hung';
  if (!isHung && !answer.isOutside) return answer;
  lane.write(mutant.path, source);
  const control = await lane.run(file, LONGEST_MS);
  if (control.outcome !== 'green')
    throw new Error(`${file} is ${control.outcome} on unbroken sources: ${control.what}`);
  lane.write(mutant.path, apply(mutant, source));
  return isHung && control.ms > ms ? await lane.run(file, limitOf(control.ms)) : answer;
}
