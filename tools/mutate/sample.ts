import { Random } from '../../simulator/random.ts';
import type { Mutant } from './mutants.ts';

/**
 * Draws mutants at random, from each file in proportion to its number. The same seed draws the same ones, and a smaller sample is the
 * beginning of a larger one.
 */
export function draw(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const random = new Random(seed);
  const placed = [...Map.groupBy(mutants, ({ path }) => path).values()].flatMap((ofFile) =>
    shuffled(ofFile, random).map((mutant, i) => ({ mutant, place: (i + random.part()) / ofFile.length })),
  );
  return placed
    .toSorted((a, b) => a.place - b.place)
    .slice(0, count)
    .map(({ mutant }) => mutant);
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  return list
    .map((value) => ({ value, place: random.part() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
